-- One of everything that PostgreSQL's protocol has, as psql says it; what is made here is taken away at the end.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\set ON_ERROR_STOP off
\pset null (null)

-- rows: none, one, many, wide, no columns, odd names, every kind of value
select;
select where false;
select 1 as "a ""b""", null as "?", 'ü€😀' as "ü";
select n, repeat(chr(64 + n % 26), n) from generate_series(1, 300) n;
select array_agg(n) from generate_series(1, 5000) n;
select 1::int2, 2::int8, 1.5::numeric, 'nan'::float8, true, '\xdeadbeef'::bytea, '{"a": [1]}'::jsonb, '2026-01-01'::date,
  interval '1 day', '10.0.0.0/8'::inet, '{1,null,3}'::int[], int4range(1, 5), row(1, 'x'), point(1, 2);
\x on
select 1 as one, 'two' as two;
\x off

-- several in one text, nothing at all, comments
select 1 \; select 2 \; select 'three';
;
/* nothing */ -- at all
select 'a;b' as ";", $$it's$$, $x$ $$ $x$, e'\t|', U&'\0041';

-- errors: before, in the midst and at the end; positions, hints, details, contexts
selekt 1;
select 1 / 0;
select n, 1 / (n - 200) from generate_series(1, 300) n;
select * from nowhere;
select nofunction(1);
select 1 \; select 1 / 0 \; select 'never';
create temp table child (n int primary key check (n > 0), s text not null default 'x', unique (s, n) deferrable initially deferred);
insert into child values (1), (1);
insert into child values (-1);
insert into child values (null);
create function pg_temp.fails(int) returns int language plpgsql as $$ begin raise exception 'no: %', $1 using hint = 'a hint', detail = 'a detail', errcode = 'P7777'; end $$;
select pg_temp.fails(3);

-- notices of every severity, in the midst of rows too
do $$ begin raise debug 'd'; raise log 'l'; raise info 'i'; raise notice 'n'; raise warning 'w'; end $$;
set client_min_messages = debug1;
do $$ begin raise debug 'heard now'; end $$;
reset client_min_messages;
create function pg_temp.tells(int) returns int language plpgsql as $$ begin raise notice 'row %', $1; return $1; end $$;
select pg_temp.tells(n) from generate_series(1, 3) n;
drop table if exists nowhere, nobody;

-- transactions: states, savepoints, a commit that fails
begin;
insert into child values (10, 'ten');
savepoint a;
select 1 / 0;
select 'refused';
rollback to a;
commit;
begin; insert into child values (20, 'same'), (21, 'same'); update child set n = n; commit;
begin; create temp table parent (n int primary key); create temp table kid (n int references parent deferrable initially deferred);
insert into kid values (1); commit;
begin isolation level serializable read only; insert into child values (3); rollback;
rollback;

-- what the session says of itself
set application_name = 'corpus';
set timezone = 'Asia/Tokyo';
set datestyle = 'German';
select '2026-01-02 03:04:05+00'::timestamptz;
set client_encoding = 'latin1';
select 'caf' || chr(233);
reset all;
show transaction_isolation;

-- values apart from the text, by name and without, wrong ones too
select $1::int + $2::int, $3::text \bind 40 2 'x''y' \g
select $1::int \bind 'no number' \g
select $1 \bind \g
prepare p (int, text) as select $1 + 1, $2;
execute p (1, 'a');
execute p (1);
explain (costs off) execute p (2, 'b');
deallocate p;
execute p (1, 'a');
discard all;

-- cursors
begin;
declare c scroll cursor for select n from generate_series(1, 10) n;
fetch 3 from c; fetch backward 2 from c; move last in c; fetch next from c; fetch relative -4 from c;
close c;
fetch c;
rollback;
\set FETCH_COUNT 7
select n from generate_series(1, 20) n;
\unset FETCH_COUNT

-- COPY both ways, in all formats, that ends well and badly
create temp table t (n int, s text);
copy t from stdin;
1	one
2	\N
3	thr\tee
\.
copy t from stdin with (format csv, header);
n,s
4,"fo,ur"
5,"fi
ve"
\.
copy t from stdin;
six	six
\.
copy t from stdin;
7	seven	and more
\.
copy (select n from generate_series(1, 0) n) from stdin;
copy t (n) from stdin;
8
\.
copy t to stdout;
copy t to stdout with (format csv, header, null 'NIL', force_quote *);
copy (select n, repeat('x', 2000) from generate_series(1, 100) n) to stdout;
copy (select 1 / 0) to stdout;
copy (select 1 / (n - 5) from generate_series(1, 10) n) to stdout;
copy t to stdout \; select 'behind it';
\copy t to /dev/null
\copy t (s) from program 'echo from a program'
select count(*), sum(n) from t;

-- large objects, notifications, a lock, a procedure that commits
begin;
select lo_create(424242);
select lo_put(424242, 0, 'written'), lo_get(424242);
select lo_unlink(424242);
commit;
listen corpus;
notify corpus, 'heard';
select pg_notify('corpus', 'again');
unlisten *;
begin; lock table t in exclusive mode; select mode from pg_locks where relation = 't'::regclass; rollback;
create procedure pg_temp.commits() language plpgsql as $$ begin create temp table made (n int); commit; insert into made values (1); end $$;
call pg_temp.commits();
select * from made;
create function pg_temp.many() returns setof refcursor language plpgsql as $$ declare a refcursor := 'a'; begin open a for select 1; return next a; end $$;
begin; select pg_temp.many(); fetch all from a; commit;

-- what psql asks by itself
\d pg_am
\df pg_temp.fails
\dt pg_temp.*
select 1 as x \gset
select 'select 7' \gexec
\gdesc
select 1 as one, 'x'::text as two \gdesc
values (1, 2, 3), (3, 4, 5) \crosstabview

select pg_backend_pid() = pg_backend_pid();
set statement_timeout = 50;
select pg_sleep(5);
reset statement_timeout;
select pg_terminate_backend(pg_backend_pid());
select 'not there any more';
