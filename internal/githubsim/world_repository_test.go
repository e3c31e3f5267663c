package githubsim

import (
	"net/http"
	"testing"

	"github.com/bradleyfalzon/ghinstallation/v2"
)

// installationToken is a new token of an installation.
func installationToken(t *testing.T, s *Server, id int64) string {
	t.Helper()
	token, err := ghinstallation.NewFromAppsTransport(appTransport(t, s, appID, appKey()), id).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestTransfer gives a private repository to another account in each of the ways
// that there are.
func TestTransfer(t *testing.T) {
	moved := Repository{ID: rocket.ID, Owner: "Other", Name: "rocket", Private: true, InstallationID: 60002}
	for name, transfer := range map[string]func(*Server){
		"renamed":              func(s *Server) { s.RenameRepository(rocket.ID, "Other", "rocket") },
		"replaced":             func(s *Server) { s.AddRepository(moved) },
		"renamed and replaced": func(s *Server) { s.RenameRepository(rocket.ID, "Other", "rocket"); s.AddRepository(moved) },
		"installation first": func(s *Server) {
			r := rocket
			r.InstallationID = 60002
			s.AddRepository(r)
			s.RenameRepository(rocket.ID, "Other", "rocket")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{AppID: appID, AppKey: &appKey().PublicKey})
			s.AddRepository(Repository{ID: 2, Owner: "other", Name: "open", InstallationID: 60002})
			s.AddJob(aJob(77))
			before, after := "token "+installationToken(t, s, 60001), "token "+installationToken(t, s, 60002)
			transfer(s)
			for _, c := range []struct {
				path, token string
				status      int
			}{
				{"repos/acme/rocket", after, 301},
				{"repos/acme/rocket/actions/jobs/77", after, 301},
				{"repos/other/rocket/actions/jobs/77", after, 200},
				{"repositories/510001/actions/jobs/77", after, 200},
				{"repos/acme/rocket", before, 404},
				{"repos/other/rocket", before, 404},
				{"repositories/510001/actions/jobs/77/logs", before, 404},
				{"repos/acme/rocket", "token " + s.Token(), 301},
			} {
				resp, body := get(t, s, c.path, "Authorization", c.token)
				if resp.StatusCode != c.status {
					t.Errorf("%s: %d, want %d; body: %s", c.path, resp.StatusCode, c.status, body)
				}
			}
			// The old installation is still there, with nothing in it.
			installationToken(t, s, 60001)
		})
	}
}

// TestTransferToWhereNoAppIs leaves the repository without an installation.
func TestTransferToWhereNoAppIs(t *testing.T) {
	s := start(t, Options{})
	s.RenameRepository(rocket.ID, "nobody", "rocket")
	if r, ok := s.world.repository(rocket.ID); !ok || r.InstallationID != 0 {
		t.Error(r, ok)
	}
}

func TestRemoveRepository(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(77))
	s.Record(SendResult{Delivery: s.Deliveries(aJob(77))[0], Status: 500})
	s.RenameRepository(rocket.ID, "Acme", "starship")
	paths := []string{
		"repos/acme/rocket", "repos/acme/starship", "repositories/510001",
		"repos/acme/rocket/actions/jobs/77", "repos/acme/starship/actions/jobs/77/logs", "repositories/510001/actions/jobs/77/logs",
		"repos/acme/starship/actions/runs", "repos/acme/starship/actions/runs/9001", "repositories/510001/actions/runs/9001/jobs",
		"repos/acme/starship/actions/runs/9001/attempts/1/jobs", "repos/acme/starship/hooks/1/deliveries", "orgs/acme/repos",
	}
	s.RemoveRepository(rocket.ID)
	s.RemoveRepository(rocket.ID)
	for _, path := range paths {
		if resp, body := get(t, s, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	s.RenameRepository(rocket.ID, "acme", "ghost") // of nothing
	s.AddRepository(rocket)
	resp, body := get(t, s, "repos/acme/rocket/actions/jobs/77")
	wantStatus(t, resp, body, 200)
}

// TestNameTakenWhileItsOwnerIsThere keeps the name with who took it.
func TestNameTakenWhileItsOwnerIsThere(t *testing.T) {
	s := start(t, Options{})
	s.AddRepository(Repository{ID: 3, Owner: "acme", Name: "rocket"})
	s.RenameRepository(rocket.ID, "Acme", "starship")
	resp, body := get(t, s, "repos/acme/rocket")
	wantStatus(t, resp, body, 200)
}
