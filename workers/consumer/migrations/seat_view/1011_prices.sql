-- What a held seat costs: seat.held says it, and the extension of a hold does not.

ALTER TABLE seats
    ADD COLUMN amount   bigint, -- HELD, in the currency's minor unit; NULL where it was held before there was this column
    ADD COLUMN currency text;
