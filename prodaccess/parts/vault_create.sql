-- A temporary user. Vault fills in {{name}}, {{password}} and {{expiration}}, and :group is the role it joins.
CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE :group;
ALTER ROLE "{{name}}" SET log_statement = 'all';
-- Needed to reassign and drop what the user owns.
GRANT "{{name}}" TO CURRENT_USER;
