-- Who deployed a version stands beside when and why, and no row is ever changed.
ALTER TABLE deployments ADD COLUMN actor text NOT NULL DEFAULT 'unknown';
ALTER TABLE deployments ALTER COLUMN actor DROP DEFAULT;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployments
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE deployments ENABLE ALWAYS TRIGGER append_only;
