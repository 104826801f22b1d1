-- The agents that a key may name; null: all of its tenant.
-- An empty list would be a key for nothing, and is easily taken for "all".
ALTER TABLE api_keys ADD COLUMN agents text[] CHECK (cardinality(agents) > 0);
