-- A version can be archived, and protected from that; what it is never changes.
ALTER TABLE models
    DROP CONSTRAINT models_status_check,
    ADD CONSTRAINT models_status_check CHECK (status IN (
        'ready',     -- whole and deployable: never deployed, or replaced by another version
        'deployed',  -- at most one per agent
        'archived'   -- for the record only: never deployed again
    )),
    ADD COLUMN protected_reason text; -- null: retention may archive it

-- Status and protection alone may change, and nothing leaves `archived`.
CREATE FUNCTION keep_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE'
       -- `version` is generated after this trigger, from columns that are compared.
       OR (to_jsonb(new) - ARRAY['status', 'protected_reason', 'version'])
          IS DISTINCT FROM (to_jsonb(old) - ARRAY['status', 'protected_reason', 'version'])
       OR (old.status = 'archived' AND new.status <> 'archived') THEN
        RAISE EXCEPTION 'a version of a model never changes'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'immutable_version';
    END IF;
    RETURN new;
END $$;

CREATE TRIGGER immutable_version BEFORE UPDATE OR DELETE ON models
FOR EACH ROW EXECUTE FUNCTION keep_version();
ALTER TABLE models ENABLE ALWAYS TRIGGER immutable_version;
