-- What the query worker looks up for buyers and operators: orders by time, of all and of one SeatingEvent, and the holds of a user.

CREATE INDEX reservations_by_time ON reservations (created_at);

CREATE INDEX reservations_by_event ON reservations (event_id, created_at);

CREATE INDEX seats_held_by_user ON seats (user_id) WHERE status = 'HELD';
