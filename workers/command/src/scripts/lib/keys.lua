-- Names for the KEYS of a SeatingEvent, in the order that store/redis/keys.rs has them.
--
-- KEYS  1 meta  2 seats  3 holds  4 reservations  5 users  6 deadlines  7 outbox  8 map  9 rows  10 layout  11 runs
local META, SEATS, HOLDS, RESERVATIONS, USERS, DEADLINES, OUTBOX, MAP, ROWS, LAYOUT, RUNS = unpack(KEYS, 1, 11)
