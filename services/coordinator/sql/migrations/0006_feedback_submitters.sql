-- Who gave feedback: an API key, or the source of a Kafka record. Only the submitter retracts it.
ALTER TABLE feedback
    ADD COLUMN submitted_by text COLLATE "C"; -- null: stored before submitters were recorded
ALTER TABLE retractions
    ADD COLUMN submitted_by text COLLATE "C" NOT NULL DEFAULT '*', -- whose feedback; *: everybody's
    ADD COLUMN annotator_id text COLLATE "C" NOT NULL DEFAULT '', -- whose labels; '': no annotation
    -- Its place in the log: what stands behind it is not retracted. -1: stored before this was kept.
    ADD COLUMN partition integer NOT NULL DEFAULT -1,
    ADD COLUMN record_offset bigint NOT NULL DEFAULT -1;
-- For feedback that is sent again after it was retracted.
CREATE INDEX retractions_interaction ON retractions (tenant_id, agent_id, interaction_id);
