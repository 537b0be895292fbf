-- The end of a temporary user, in this order: no login, no connections, no user. Safe to run twice, and each
-- statement counts by itself, for the server does not undo one when the next one fails.
ALTER USER IF EXISTS '{{name}}'@'%' ACCOUNT LOCK;
KILL USER '{{name}}';
DROP USER IF EXISTS '{{name}}'@'%';
