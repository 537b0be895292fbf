import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import java.util.Properties;
import org.postgresql.PGConnection;

/** What JDBC programs and tools built on it do; prints what comes back. Arguments: URL, user, password. */
public class Workload {
    public static void main(String[] args) throws Exception {
        Properties told = new Properties();
        told.setProperty("user", args[1]);
        told.setProperty("password", args[2]);
        told.setProperty("prepareThreshold", "2");
        told.setProperty("ApplicationName", "workload");
        try (Connection db = DriverManager.getConnection(args[0], told)) {
            try (Statement plain = db.createStatement()) {
                plain.execute("create temp table jdbc (n int primary key, s text, at timestamptz)");
            }
            try (PreparedStatement insert = db.prepareStatement("insert into jdbc values (?, ?, now())")) {
                for (int n = 0; n < 1000; n++) {
                    insert.setInt(1, n);
                    insert.setString(2, "ü" + n);
                    insert.addBatch();
                }
                System.out.println("batch " + insert.executeBatch().length);
            }
            try (PreparedStatement find = db.prepareStatement("select s from jdbc where n = ?")) {
                for (int n = 0; n < 6; n++) { // from the third on, by name and in binary
                    find.setInt(1, n);
                    try (ResultSet rows = find.executeQuery()) {
                        rows.next();
                        System.out.println("found " + rows.getString(1).length());
                    }
                }
            }
            db.setAutoCommit(false);
            try (Statement cursor = db.createStatement()) {
                cursor.setFetchSize(100);
                int count = 0;
                try (ResultSet rows = cursor.executeQuery("select n from jdbc order by n")) {
                    while (rows.next()) count++;
                }
                System.out.println("fetched " + count);
            }
            Savepoint safe = db.setSavepoint("safe");
            try (Statement wrong = db.createStatement()) {
                wrong.execute("insert into jdbc values (1, 'again', now())");
            } catch (SQLException refused) {
                System.out.println("refused " + refused.getSQLState());
            }
            db.rollback(safe);
            db.commit();
            db.setAutoCommit(true);
            var copier = db.unwrap(PGConnection.class).getCopyAPI();
            System.out.println("copied in " + copier.copyIn("copy jdbc (n, s) from stdin", new StringReader("5000\tx\n5001\ty\n")));
            StringWriter out = new StringWriter();
            System.out.println("copied out " + copier.copyOut("copy (select n from jdbc where n >= 5000) to stdout", out));
            DatabaseMetaData about = db.getMetaData();
            try (ResultSet columns = about.getColumns(null, null, "jdbc", "%")) {
                while (columns.next()) System.out.println("column " + columns.getString("COLUMN_NAME"));
            }
            try (ResultSet keys = about.getPrimaryKeys(null, null, "jdbc")) {
                while (keys.next()) System.out.println("key " + keys.getString("COLUMN_NAME"));
            }
            try (Statement slow = db.createStatement()) {
                slow.setQueryTimeout(1); // a cancel on a connection of its own
                slow.execute("select pg_sleep(30)");
            } catch (SQLException cancelled) {
                System.out.println("cancelled " + cancelled.getSQLState());
            }
        }
    }
}
