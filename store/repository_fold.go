package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Fold merges two reports of one repository. Each field is taken from the report of the
// latest time; on a tie, a name from the REST API wins, then the order of the texts
// decides, and private wins over public. The result does not depend on the order of the
// reports, nor on how often one is merged. The tables merge in the same way.
func (r Repository) Fold(o Repository) Repository {
	r, o = r.timed(), o.timed()
	if r.compareNames(o) < 0 {
		r.Owner, r.Name, r.NamedAt, r.NamedByAPI = o.Owner, o.Name, o.NamedAt, o.NamedByAPI
	}
	if later(r.PrivateAt, o.PrivateAt, func() bool { return !*r.Private && *o.Private }) {
		r.Private, r.PrivateAt = o.Private, o.PrivateAt
	}
	if later(r.InstallationAt, o.InstallationAt, func() bool { return *r.InstallationID < *o.InstallationID }) {
		r.InstallationID, r.InstallationAt = o.InstallationID, o.InstallationAt
	}
	if o.SeenAt.After(r.SeenAt) {
		r.SeenAt = o.SeenAt
	}
	return r
}

// epoch stands for no time, as timestamptz has it.
var epoch = time.Unix(0, 0).UTC()

// timed fills in the times that are left open.
func (r Repository) timed() Repository {
	if r.NamedAt = r.NamedAt.Truncate(time.Microsecond); r.NamedAt.Before(epoch) { // which is as fine as timestamptz
		r.NamedAt = epoch
	}
	if r.Private == nil {
		r.PrivateAt = nil
	} else if r.PrivateAt == nil {
		r.PrivateAt = &r.NamedAt
	}
	if r.InstallationID == nil {
		r.InstallationAt = nil
	} else if r.InstallationAt == nil {
		r.InstallationAt = &r.NamedAt
	}
	return r
}

func (r Repository) compareNames(o Repository) int {
	rank := map[bool]int{true: 1}
	return cmp.Or(r.NamedAt.Compare(o.NamedAt), cmp.Compare(rank[r.NamedByAPI], rank[o.NamedByAPI]), cmp.Compare(r.Owner, o.Owner), cmp.Compare(r.Name, o.Name))
}

// later says whether b replaces a: it must be set, and be of a later time, or of the same
// time and win the tie.
func later(a, b *time.Time, tie func() bool) bool {
	if a == nil || b == nil {
		return b != nil
	}
	return b.After(*a) || b.Equal(*a) && tie()
}

// foldRepositories merges the reports of each repository, and lists the latest report of
// each name.
func foldRepositories(reports []Repository) (accounts, names []Repository) {
	type named struct {
		id          int64
		owner, name string
	}
	account, name := make(map[int64]int), make(map[named]int)
	for _, r := range reports {
		r = r.timed()
		if i, known := account[r.ID]; known {
			accounts[i] = accounts[i].Fold(r)
		} else {
			account[r.ID] = len(accounts)
			accounts = append(accounts, r)
		}
		key := named{r.ID, r.Owner, r.Name}
		r = Repository{ID: r.ID, Owner: r.Owner, Name: r.Name, NamedAt: r.NamedAt, NamedByAPI: r.NamedByAPI}
		if i, known := name[key]; !known {
			name[key] = len(names)
			names = append(names, r)
		} else if names[i].compareNames(r) < 0 {
			names[i] = r
		}
	}
	return accounts, names
}

// FoldRepository merges the reports of one repository, of which there must be at least
// one, and returns the latest report of each name other than the present one.
func FoldRepository(reports []Repository) (account Repository, otherNames []Repository) {
	accounts, names := foldRepositories(reports)
	account = accounts[0]
	names = slices.DeleteFunc(names, func(r Repository) bool { return r.Owner == account.Owner && r.Name == account.Name })
	if len(names) == 0 {
		return account, nil
	}
	slices.SortFunc(names, Repository.compareNames)
	return account, names
}

// upsertRepositories folds reports into the tables: what they say then does not depend on
// the order in which reports come, nor on how they are grouped. seen_at alone is worth a
// write once a minute only.
//
// The rows of repositories are locked in the order of their ids, and those of
// repository_names belong to them: transactions cannot deadlock. Reports that tell nothing
// new lock nothing: until this transaction ended nobody else could write jobs of their
// repositories.
func upsertRepositories(ctx context.Context, tx pgx.Tx, reports []Repository) error {
	reports, err := reportsWithNews(ctx, tx, reports)
	if err != nil || len(reports) == 0 {
		return err
	}
	accounts, names := foldRepositories(reports)
	param, err := records(accounts)
	if err != nil {
		return err
	}
	told, err := records(names)
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	b.Queue(foldIntoRepositories, param)
	b.Queue(foldIntoNames, told)
	return tx.SendBatch(ctx, b).Close()
}

// reportsWithNews leaves out the reports of repositories of which none tells anything new. A
// row only ever comes to tell more, so what is no news now will not be any later.
func reportsWithNews(ctx context.Context, tx pgx.Tx, reports []Repository) ([]Repository, error) {
	ids := make([]int64, len(reports))
	for i, r := range reports {
		ids[i] = r.ID
	}
	rows, err := repositoriesOf(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	known := make(map[int64]Repository, len(rows))
	for _, r := range rows {
		known[r.ID] = r
	}
	news := make(map[int64]bool)
	for _, report := range reports {
		row, ok := known[report.ID]
		news[report.ID] = news[report.ID] || !ok || row.isBehind(report)
	}
	return slices.DeleteFunc(slices.Clone(reports), func(r Repository) bool { return !news[r.ID] }), nil
}

// isBehind reports whether a row would change with a report, or the names beside it.
func (r Repository) isBehind(report Repository) bool {
	const worthAWrite = time.Minute
	folded := r.Fold(report)
	r = r.timed()
	return r.Owner != report.Owner || r.Name != report.Name || report.SeenAt.After(r.SeenAt.Add(worthAWrite)) ||
		r.compareNames(folded) != 0 || folded.PrivateAt != r.PrivateAt || folded.InstallationAt != r.InstallationAt
}

const foldIntoRepositories = `
	INSERT INTO repositories AS r (id, owner, name, private, installation_id, seen_at, named_at, named_by_api, private_at, installation_at)
	SELECT id, owner, name, private, installation_id, seen_at, named_at, named_by_api, private_at, installation_at
	FROM jsonb_to_recordset($1::jsonb) AS f(
		id bigint, owner text, name text, private boolean, installation_id bigint, seen_at timestamptz,
		named_at timestamptz, named_by_api boolean, private_at timestamptz, installation_at timestamptz)
	ORDER BY id
	ON CONFLICT (id) DO UPDATE SET
		(owner, name, named_at, named_by_api) = (
			SELECT owner, name, named_at, named_by_api
			FROM (VALUES (r.owner, r.name, r.named_at, r.named_by_api), (excluded.owner, excluded.name, excluded.named_at, excluded.named_by_api))
				AS w(owner, name, named_at, named_by_api)
			ORDER BY named_at DESC, named_by_api DESC, owner COLLATE "C" DESC, name COLLATE "C" DESC LIMIT 1),
		(private, private_at) = (
			SELECT private, private_at FROM (VALUES (r.private, r.private_at), (excluded.private, excluded.private_at)) AS w(private, private_at)
			ORDER BY private_at DESC NULLS LAST, private DESC LIMIT 1),
		(installation_id, installation_at) = (
			SELECT installation_id, installation_at
			FROM (VALUES (r.installation_id, r.installation_at), (excluded.installation_id, excluded.installation_at)) AS w(installation_id, installation_at)
			ORDER BY installation_at DESC NULLS LAST, installation_id DESC LIMIT 1),
		seen_at = greatest(r.seen_at, excluded.seen_at)
	WHERE excluded.seen_at > r.seen_at + interval '1 minute'
	   OR (excluded.named_at, excluded.named_by_api, excluded.owner COLLATE "C", excluded.name COLLATE "C")
	      > (r.named_at, r.named_by_api, r.owner COLLATE "C", r.name COLLATE "C")
	   OR excluded.private IS NOT NULL AND (r.private IS NULL OR (excluded.private_at, excluded.private) > (r.private_at, r.private))
	   OR excluded.installation_id IS NOT NULL AND (r.installation_id IS NULL
	      OR (excluded.installation_at, excluded.installation_id) > (r.installation_at, r.installation_id))`

// foldIntoNames keeps the reports of names that are not the present ones: that a repository
// had a name at a time may mean that another no longer has it. A name that ceases to be
// the present one is kept by the trigger keep_repository_name.
const foldIntoNames = `
	INSERT INTO repository_names AS n (owner, name, repository_id, until, named_at, named_by_api)
	SELECT f.owner, f.name, f.id, now(), f.named_at, f.named_by_api
	FROM jsonb_to_recordset($1::jsonb) AS f(id bigint, owner text, name text, named_at timestamptz, named_by_api boolean)
	JOIN repositories r ON r.id = f.id AND (r.owner, r.name) IS DISTINCT FROM (f.owner, f.name)
	ORDER BY f.id, f.owner, f.name
	ON CONFLICT (repository_id, owner, name) DO UPDATE SET (named_at, named_by_api) = (excluded.named_at, excluded.named_by_api)
	WHERE (excluded.named_at, excluded.named_by_api) > (n.named_at, n.named_by_api)`
