-- Retrains in a row that trained and gave no version: each doubles the rest before the next one.
ALTER TABLE tallies
    ADD COLUMN refusals integer NOT NULL DEFAULT 0 CHECK (refusals >= 0),
    ADD COLUMN refused_at timestamptz; -- the last of them; null: none since the last deployment
