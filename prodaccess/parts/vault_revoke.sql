-- The end of a temporary user: first no login and no rights, then no sessions, then no user.
-- Safe to run twice. When the user cannot be dropped, for it owns something in another database, it stays
-- without login and without rights, and the server's log says so.
DO $pa$
DECLARE
  n text := '{{name}}';
  r record;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = n) THEN
    RETURN;
  END IF;
  EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL VALID UNTIL ''epoch''', n);
  FOR r IN
    SELECT g.rolname
    FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
    WHERE u.rolname = n
  LOOP
    EXECUTE format('REVOKE %I FROM %I', r.rolname, n);
  END LOOP;
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = n;
  BEGIN
    EXECUTE format('REASSIGN OWNED BY %I TO pa_graveyard', n);
    EXECUTE format('DROP OWNED BY %I', n);
    EXECUTE format('DROP ROLE %I', n);
  EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'prodaccess: % neutralised but not dropped: %', n, SQLERRM;
  END;
END $pa$
