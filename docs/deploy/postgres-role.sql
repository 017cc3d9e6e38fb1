-- A role for the server that can append to the log, and neither change it nor remove its triggers.
--
-- The owner of the database starts `delivery-ledger serve` once, which makes the tables, and stops it. Then:
--
--   psql --set role=ledger_server --file postgres-role.sql postgres://OWNER@HOST/DATABASE
--
-- and again after each upgrade that the owner has started once. From then on the server connects as this role.
\set ON_ERROR_STOP on
BEGIN;

SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

-- The log: reading and appending.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO :"role";
GRANT INSERT ON envelopes, events, erased, seal_records TO :"role";
GRANT UPDATE ON log_head TO :"role";
GRANT EXECUTE ON FUNCTION create_partitions(bigint) TO :"role";

-- What can be rebuilt, or is no evidence. Each set of views is a schema, which the role makes.
SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), :'role') \gexec
GRANT INSERT, UPDATE, DELETE
  ON projections, nodes, lead, kept, claims, requests, quarantine_size, targets, unaccepted, answers
  TO :"role";

-- The owner can read and remove the views that the role makes.
SELECT format('GRANT %I TO %I', :'role', current_user)
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) \gexec

COMMIT;
