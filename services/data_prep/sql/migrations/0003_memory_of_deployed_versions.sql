-- The memory follows the deployed version: what a dataset brings counts once the version that was
-- trained on it is deployed, and no longer once that is rolled back.

ALTER TABLE datasets
    ADD COLUMN model_version text,       -- trained on it; NULL: none is registered yet
    ADD COLUMN memory_sequence integer,  -- order in which its items entered; NULL: not in memory
    ADD COLUMN vouched boolean NOT NULL DEFAULT false;  -- a person deployed that version

-- Until now every dataset entered when it was prepared.
UPDATE datasets SET memory_sequence = version;

CREATE INDEX datasets_by_model ON datasets (tenant_id, agent_id, model_version);

ALTER TABLE replay_buffer RENAME TO remembered_items;
ALTER TABLE remembered_items
    -- replay: trained on again; reference: evaluated with, never trained on
    ADD COLUMN part text NOT NULL DEFAULT 'replay' CHECK (part IN ('replay', 'reference')),
    -- One row per dataset: a rollback brings back what a later one replaced.
    DROP CONSTRAINT replay_buffer_pkey,
    ADD CONSTRAINT remembered_items_pkey
    PRIMARY KEY (tenant_id, agent_id, dataset_version, part, input_hash);
ALTER TABLE remembered_items ALTER COLUMN part DROP DEFAULT;
