-- The database `orders` of a shop: about 9,000 rows, the same on every run.
-- The story in it: since the deploy of 21 November, 09:40 UTC, refunds stay in the state `stuck` (OPS-412).

CREATE TABLE customers (
    id          integer PRIMARY KEY,
    name        text NOT NULL,
    email       text NOT NULL UNIQUE,
    country     char(2) NOT NULL,
    created_at  timestamptz NOT NULL
);

-- Personal data: what an auditor asks about first.
CREATE TABLE customer_identities (
    customer_id    integer PRIMARY KEY REFERENCES customers,
    date_of_birth  date NOT NULL,
    national_id    text NOT NULL,
    iban           text NOT NULL,
    phone          text NOT NULL,
    password_hash  text NOT NULL
);

CREATE TABLE orders (
    id           integer PRIMARY KEY,
    customer_id  integer NOT NULL REFERENCES customers,
    status       text NOT NULL CHECK (status IN ('paid', 'shipped', 'delivered', 'cancelled')),
    placed_at    timestamptz NOT NULL
);

CREATE TABLE order_lines (
    order_id     integer NOT NULL REFERENCES orders,
    line         smallint NOT NULL,
    article      text NOT NULL,
    quantity     smallint NOT NULL CHECK (quantity > 0),
    price_cents  integer NOT NULL CHECK (price_cents > 0),
    PRIMARY KEY (order_id, line)
);

CREATE TABLE payments (
    id            integer PRIMARY KEY,
    order_id      integer NOT NULL UNIQUE REFERENCES orders,
    method        text NOT NULL CHECK (method IN ('card', 'transfer', 'wallet')),
    card_last4    char(4),
    amount_cents  integer NOT NULL,
    paid_at       timestamptz NOT NULL
);

CREATE TABLE refunds (
    id            integer PRIMARY KEY,
    order_id      integer NOT NULL UNIQUE REFERENCES orders,
    status        text NOT NULL CHECK (status IN ('requested', 'sent', 'settled', 'stuck')),
    amount_cents  integer NOT NULL,
    attempts      smallint NOT NULL DEFAULT 1,
    last_error    text,
    requested_at  timestamptz NOT NULL
);

CREATE INDEX ON orders (customer_id);
CREATE INDEX ON refunds (status);

INSERT INTO customers
SELECT n,
       first || ' ' || last,
       lower(first) || '.' || lower(last) || n || '@shop.example',
       (ARRAY['DE', 'FR', 'NL', 'SE', 'ES', 'IT', 'PL'])[1 + n * 3 % 7],
       timestamptz '2024-02-01 08:00+00' + n * interval '19 hours 7 minutes'
FROM generate_series(1, 1000) AS n,
     LATERAL (SELECT (ARRAY['Mara', 'Jonas', 'Chloe', 'Emil', 'Sofia', 'Luca', 'Hanna', 'Pablo', 'Ines', 'Oskar',
                            'Noor'])[1 + n * 7 % 11] AS first,
                     (ARRAY['Berg', 'Marchand', 'Visser', 'Lind', 'Ortega', 'Ricci', 'Nowak', 'Keller', 'Dubois',
                            'Jansen', 'Holm', 'Moreno', 'Conti'])[1 + n * 5 % 13] AS last) AS names;

INSERT INTO customer_identities
SELECT id,
       date '1950-01-01' + id * 37 % 20000,
       country || upper(substr(md5('id' || id), 1, 9)),
       country || lpad((id * 7919 % 97)::text, 2, '0') || lpad((id::bigint * 1299709 % 10000000000)::text, 18, '0'),
       '+49 151 ' || lpad((id * 104729 % 10000000)::text, 7, '0'),
       '$argon2id$v=19$m=65536,t=3,p=4$' || md5('salt' || id) || '$' || md5('hash' || id)
FROM customers;

INSERT INTO orders
SELECT n,
       1 + n * 37 % 1000,
       CASE WHEN n > 1990 THEN 'paid' WHEN n % 7 = 0 THEN 'cancelled' WHEN n > 1900 THEN 'shipped' ELSE 'delivered' END,
       timestamptz '2026-11-22 18:00+00' - (2000 - n) * interval '11 minutes'
FROM generate_series(1, 2000) AS n;

INSERT INTO order_lines
SELECT orders.id,
       line,
       (ARRAY['kettle', 'lamp', 'notebook', 'backpack', 'desk mat', 'bottle', 'headphones', 'rug'])
           [1 + (orders.id * 5 + line * 3) % 8],
       1 + (orders.id + line) % 3,
       499 + (orders.id * 131 + line * 977) % 14500
FROM orders, generate_series(1, 1 + orders.id % 3) AS line;

INSERT INTO payments
SELECT orders.id,
       orders.id,
       (ARRAY['card', 'card', 'transfer', 'wallet'])[1 + orders.id % 4],
       CASE WHEN orders.id % 4 < 2 THEN lpad((orders.id * 7907 % 10000)::text, 4, '0') END,
       total,
       placed_at + interval '40 seconds'
FROM orders
JOIN (SELECT order_id, sum(quantity * price_cents) AS total FROM order_lines GROUP BY order_id) AS totals
    ON totals.order_id = orders.id;

INSERT INTO refunds
SELECT row_number() OVER (ORDER BY requested_at),
       order_id,
       CASE WHEN stuck THEN 'stuck' WHEN requested_at > timestamptz '2026-11-19 00:00+00' THEN 'sent' ELSE 'settled' END,
       amount_cents,
       CASE WHEN stuck THEN 6 ELSE 1 END,
       CASE WHEN stuck THEN 'ledger rejected batch: unknown currency scale' END,
       requested_at
FROM (SELECT order_id, amount_cents, requested_at, requested_at > timestamptz '2026-11-21 09:40+00' AS stuck
      FROM (SELECT orders.id AS order_id, amount_cents, placed_at + interval '2 hours' AS requested_at
            FROM orders JOIN payments ON payments.order_id = orders.id
            WHERE status = 'cancelled') AS cancelled) AS asked;

GRANT USAGE ON SCHEMA public TO app_readonly, app_readwrite;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO app_readonly, app_readwrite;
GRANT INSERT, UPDATE, DELETE ON orders, order_lines, payments, refunds TO app_readwrite;
