-- The payment of each reservation, as the query worker shows it. The topics of seats and of payments are in no common order: what is kept are facts
-- that no later one takes back, and the state that follows from them. Times are Unix milliseconds, amounts the
-- currency's minor unit.

CREATE TABLE payments (
    reservation_id text   PRIMARY KEY,
    event_id       text   NOT NULL,
    user_id        text   NOT NULL,
    currency       text   NOT NULL,
    state          text            CHECK (state IN ('REQUESTED', 'PAID', 'DECLINED', 'REFUSED', 'TIMED_OUT', 'CANCELLED',
                                                    'REINSTATED', 'REFUND_REQUESTED')),
                                            -- null where no payment was ever asked for
    charged        bigint NOT NULL DEFAULT 0,
    refunded       bigint NOT NULL DEFAULT 0,
    payment_id     text,                    -- the gateway's name for it
    reason         text,                    -- declined, refused or timeout, where that is how it stands
    updated_at     bigint NOT NULL,
    requested      bigint,                  -- what a gateway was asked to charge
    completed      boolean NOT NULL DEFAULT false,
    cancelled      bigint,                  -- what of it buyer or box office cancelled
    reinstated_by  text,                    -- the reservation that it pays for in place of its own
    failure        text                     -- why it failed, if it ever did
);

CREATE INDEX payments_by_state ON payments (state, updated_at);

ALTER TABLE reservations ADD COLUMN paid_by text; -- counter, or the reservation whose payment covers it
