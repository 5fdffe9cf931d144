-- Once, on the primary, with psql as postgres: the log and the vault, each a database of its own, and the role of the nodes.
--   psql -h PRIMARY -U postgres -v password=… -f databases.sql
CREATE ROLE tellonce LOGIN PASSWORD :'password';
CREATE DATABASE tellonce OWNER tellonce;
CREATE DATABASE tellonce_vault OWNER tellonce;
REVOKE CONNECT ON DATABASE tellonce, tellonce_vault FROM PUBLIC;
