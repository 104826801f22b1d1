-- What a version was made from, and whether it may be archived: as the registry's events say.
ALTER TABLE models
    ADD COLUMN kind text,
    ADD COLUMN dataset jsonb, -- ArtifactRef; null: registered before this file
    ADD COLUMN facts jsonb NOT NULL DEFAULT '{}', -- ModelRegistered.lineage
    ADD COLUMN protected_reason text, -- null: retention may archive it
    ADD COLUMN archived_at timestamptz;
