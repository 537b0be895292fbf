-- The account Vault uses in PostgreSQL 15 or later. It is no superuser and owns nothing of the application's.
-- Run once, by a superuser, in the database itself: BAO_ADMIN_PASSWORD=... psql -f vault_admin.sql orders
\getenv admin_password BAO_ADMIN_PASSWORD

CREATE ROLE bao_admin LOGIN CREATEROLE PASSWORD :'admin_password';

GRANT CONNECT ON DATABASE orders TO bao_admin;

-- Revoking a grant ends the sessions it opened.
GRANT pg_signal_backend TO bao_admin;

-- Every statement of a temporary user goes to the server's log.
GRANT SET ON PARAMETER log_statement TO bao_admin;

-- What it may hand on, and nothing more.
GRANT app_readonly, app_readwrite TO bao_admin WITH ADMIN OPTION;

-- Whatever a temporary user leaves behind goes to a role without rights. The application's owner would be
-- wrong: a SECURITY DEFINER function left behind would then run with the owner's rights.
CREATE ROLE pa_graveyard NOLOGIN;
GRANT pa_graveyard TO bao_admin;
GRANT CREATE ON SCHEMA public TO pa_graveyard;

-- A busy table must not hold up a revocation.
ALTER ROLE bao_admin SET lock_timeout = '3s';
ALTER ROLE bao_admin SET statement_timeout = '15s';
