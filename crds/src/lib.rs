//! The two custom resources, ReservationService and SeatingEvent, with their CEL rules.
