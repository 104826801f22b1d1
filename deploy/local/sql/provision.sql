-- Run by psql at every start of the embedded server; each statement does nothing the second time.
-- The login `archon` owns the tables; the services act as `archon_services`, which owns nothing, so
-- that row-level security binds them.
\getenv password ARCHON_PASSWORD

SELECT format('CREATE ROLE archon LOGIN CREATEDB PASSWORD %L', :'password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'archon') \gexec

SELECT 'CREATE DATABASE archon OWNER archon'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'archon') \gexec

SELECT 'CREATE ROLE archon_services NOLOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'archon_services') \gexec

SELECT 'GRANT archon_services TO archon'
WHERE NOT EXISTS (
    SELECT FROM pg_auth_members m
    WHERE m.roleid = 'archon_services'::regrole AND m.member = 'archon'::regrole
) \gexec
