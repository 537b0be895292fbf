-- The account Vault uses in MariaDB 10.5 or later. Run once, by a superuser; the password comes from the environment:
-- envsubst '$BAO_ADMIN_PASSWORD' < vault_mysql_admin.sql | mariadb
-- It may make and drop users, end their connections, and hand on what it holds itself, and nothing more.
CREATE USER bao_admin@'%' IDENTIFIED BY '$BAO_ADMIN_PASSWORD';
GRANT CREATE USER, CONNECTION ADMIN ON *.* TO bao_admin@'%';
GRANT SELECT ON stock.* TO bao_admin@'%' WITH GRANT OPTION;
