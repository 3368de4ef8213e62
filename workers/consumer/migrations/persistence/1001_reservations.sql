-- Reservations for good, one row each. Times are Unix milliseconds, amounts the currency's minor unit.

CREATE TABLE reservations (
    reservation_id text   PRIMARY KEY,
    event_id       text   NOT NULL,
    user_id        text   NOT NULL,
    amount         bigint NOT NULL,         -- of the seats that it still has
    currency       text   NOT NULL,
    status         text   NOT NULL CHECK (status IN ('CONFIRMED', 'CANCELLED')),
    created_at     bigint NOT NULL,
    cancelled_at   bigint,                  -- when its last seat left
    correlation_id text   NOT NULL
);

CREATE INDEX reservations_by_user ON reservations (user_id, created_at);
CREATE INDEX reservations_by_event ON reservations (event_id);

CREATE TABLE reservation_seats (
    reservation_id text   NOT NULL REFERENCES reservations,
    seat_id        text   NOT NULL,
    released_at    bigint,
    PRIMARY KEY (reservation_id, seat_id)
);

-- I1's backstop: Redis decides who has a seat, and this index refuses a second owner should it ever decide wrongly.
CREATE UNIQUE INDEX i1_one_reservation_a_seat ON reservation_seats (seat_id) WHERE released_at IS NULL;
