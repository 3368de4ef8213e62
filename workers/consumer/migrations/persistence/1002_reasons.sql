-- What pays for a reservation where no payment of its own does, and why its seats left it.

ALTER TABLE reservations ADD COLUMN paid_by text; -- counter, or the reservation whose payment covers it

ALTER TABLE reservation_seats
    ADD COLUMN reason text, -- cancelled, payment_failed or admin; absent where the event did not tell it
    ADD COLUMN note   text; -- what the box office wrote down
