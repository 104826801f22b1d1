-- Run by psql at every start of the embedded server; each statement does nothing the second time.
-- The services use a role that is no superuser, so that row-level security and ownership count.
\getenv password ARCHON_PASSWORD

SELECT format('CREATE ROLE archon LOGIN CREATEDB PASSWORD %L', :'password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'archon') \gexec

SELECT 'CREATE DATABASE archon OWNER archon'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'archon') \gexec
