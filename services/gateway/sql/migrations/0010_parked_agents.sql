-- An agent whose trigger could not be evaluated, until when and why; a new profile lifts it.
ALTER TABLE agents
    ADD COLUMN parked_at timestamptz,
    ADD COLUMN parked_until timestamptz,
    ADD COLUMN parked_reason text;
