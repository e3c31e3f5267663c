package store_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/store"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
	txType      = reflect.TypeFor[pgx.Tx]()
)

// questions are the methods of a database that ask Postgres by themselves, by their names.
// Those that work within somebody else's transaction are left out.
func questions(db *store.DB) map[string]reflect.Value {
	found := make(map[string]reflect.Value)
	v := reflect.ValueOf(db)
	for i := range v.NumMethod() {
		m := v.Method(i)
		t := m.Type()
		if t.NumIn() == 0 || t.In(0) != contextType || t.NumOut() == 0 || t.Out(t.NumOut()-1) != errorType {
			continue
		}
		if t.NumIn() > 1 && t.In(1) == txType {
			continue
		}
		found[v.Type().Method(i).Name] = m
	}
	return found
}

// arguments are values of types whose zero value asks nothing.
var arguments = map[reflect.Type]reflect.Value{
	reflect.TypeFor[store.ActionFilter](): reflect.ValueOf(store.ActionFilter{Action: "actions/checkout"}),
	reflect.TypeFor[store.JobFilter]():    reflect.ValueOf(store.JobFilter{Event: "push"}),
	reflect.TypeFor[store.TimeRange]():    reflect.ValueOf(store.TimeRange{From: day, To: day.Add(time.Hour)}),
}

// argument makes a value for which something has to be asked: a list has one element, and
// a function returns zero values.
func argument(t reflect.Type) reflect.Value {
	if v, ok := arguments[t]; ok {
		return v
	}
	switch t.Kind() {
	case reflect.Slice:
		return reflect.Append(reflect.MakeSlice(t, 0, 1), argument(t.Elem()))
	case reflect.Func:
		return reflect.MakeFunc(t, func([]reflect.Value) []reflect.Value {
			var out []reflect.Value
			for i := range t.NumOut() {
				out = append(out, reflect.Zero(t.Out(i)))
			}
			return out
		})
	case reflect.Int, reflect.Int64:
		return reflect.ValueOf(1).Convert(t)
	case reflect.String:
		return reflect.ValueOf("acme/rocket").Convert(t)
	default:
		return reflect.Zero(t)
	}
}

// ask calls a method, and returns its error, and whether it said yes to anything.
func ask(ctx context.Context, m reflect.Value) (yes bool, err error) {
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for i := 1; i < m.Type().NumIn(); i++ {
		in = append(in, argument(m.Type().In(i)))
	}
	out := m.Call(in)
	last := len(out) - 1
	yes = slices.ContainsFunc(out[:last], func(v reflect.Value) bool { return v.Kind() == reflect.Bool && v.Bool() })
	err, _ = out[last].Interface().(error)
	return yes, err
}

// wantFailure wants an error that says whose it is and keeps its cause, and no yes with it.
func wantFailure(t *testing.T, name string, yes bool, err error, isCause func(error) bool) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: no error", name)
	case !strings.Contains(err.Error(), "store: "):
		t.Errorf("%s: the error does not say that it is the store's: %v", name, err)
	case !isCause(err):
		t.Errorf("%s: the error does not keep its cause: %v", name, err)
	case yes:
		t.Errorf("%s: says yes, and %v", name, err)
	}
}

// A caller that gives up gets an error, whatever it asked.
func TestQuestionsOfACallerThatGaveUp(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, m := range questions(f.db) {
		yes, err := ask(ctx, m)
		wantFailure(t, name, yes, err, func(err error) bool { return errors.Is(err, context.Canceled) })
	}
}

// needsNoTable are the methods that ask only for the time, for a lock, or whether Postgres
// writes at all.
var needsNoTable = []string{"AskedAt", "CheckWrites", "DecidingTime", "LockManifests", "LockRemovals", "LockReplace", "NewClaimant", "NewClock", "Ping", "Time"}

// A role that may read no table gets an error, whatever it asks: none of its transactions
// is taken for one that found nothing.
func TestQuestionsOfARoleWithoutRights(t *testing.T) {
	f := newFixture(t)
	c, err := pgxpool.ParseConfig(f.pool.Config().ConnString())
	f.check(err)
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `SET ROLE pg_signal_backend`)
		return err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), c)
	f.check(err)
	t.Cleanup(pool.Close)
	db, err := store.New(pool)
	f.check(err)
	for name, m := range questions(db) {
		if slices.Contains(needsNoTable, name) {
			continue
		}
		yes, err := ask(t.Context(), m)
		wantFailure(t, name, yes, err, func(err error) bool {
			pg, is := errors.AsType[*pgconn.PgError](err)
			return is && pg.Code == "42501" // insufficient_privilege
		})
	}
}
