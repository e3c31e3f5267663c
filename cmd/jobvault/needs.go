package main

// needs is what a command declares that it cannot do without. The zero value needs the
// settings only.
type needs struct {
	database  databaseNeed
	schema    schemaNeed
	manyConns bool // for workers; else a few connections to Postgres are enough
	bucket    bucketNeed
	clock     clockNeed
	github    bool // a token or an App
	removals  bool // the database has heard of all removals that the bucket records
}

// databaseNeed says what a command wants of Postgres, the embedded one above all.
type databaseNeed int

const (
	noDatabase       databaseNeed = iota
	existingDatabase              // use it beside its owner, or start it for the moment; it is not made
	borrowDatabase                // the same, and it is made if there is none
	ownDatabase                   // be its owner; a second one is refused
)

// schemaNeed says what is done about a schema that is not this binary's.
type schemaNeed int

const (
	anySchema       schemaNeed = iota // nothing: the command is about the schema
	currentSchema                     // it is refused
	migratedSchema                    // it is brought up
	receivingSchema                   // it is brought up, or is newer: then webhooks are received, and no more
)

// bucketNeed says what a command wants of the bucket.
type bucketNeed int

const (
	noBucket        bucketNeed = iota
	openBucket                 // it is not asked anything before the command does
	existingBucket             // it fails if it does not exist or cannot lock; if it is away it comes back
	reachableBucket            // it answers
)

// clockNeed says what a command wants of the time.
type clockNeed int

const (
	noClock    clockNeed = iota
	anyClock             // Postgres' time, whatever this machine's clock says
	rightClock           // it fails with store.SkewError if the two are too far apart: it decides by the time
)

// What kinds of commands need.
var (
	// migrateNeeds is for commands about the schema itself.
	migrateNeeds = needs{database: existingDatabase}
	// ledgerNeeds is for commands that show nothing of what logs say: the bucket may be away.
	ledgerNeeds = needs{database: existingDatabase, schema: currentSchema}
	// readNeeds is for commands that read logs, or what was read from them.
	readNeeds = needs{database: existingDatabase, schema: currentSchema, bucket: openBucket, removals: true}
	// recordNeeds is for commands that keep records in the database only.
	recordNeeds = needs{database: existingDatabase, schema: migratedSchema}
	// maintenanceNeeds is for commands that look after the archive.
	maintenanceNeeds = needs{database: existingDatabase, schema: migratedSchema, manyConns: true, bucket: reachableBucket, clock: rightClock}
	// bucketNeeds is for commands that do without a database.
	bucketNeeds = needs{bucket: reachableBucket}
)

// mayBegin is n for a command that may run before jobvault ever served: without a
// database it begins the archive.
func (n needs) mayBegin() needs {
	n.database = borrowDatabase
	return n
}

// withGitHub is n for a command that calls GitHub.
func (n needs) withGitHub() needs {
	n.github = true
	return n
}

// withRemovals is n for a command that reads logs, or removes them.
func (n needs) withRemovals() needs {
	n.removals = true
	return n
}
