SELECT id FROM (SELECT id, owner, name FROM repositories
UNION SELECT repository_id, owner, name FROM repository_names) names
WHERE ($1 = '' OR lower(owner) = lower($1)) AND ($2 = '' OR lower(name) = lower($2))
AND ($3::bigint[] IS NULL OR id = ANY($3))
GROUP BY id
-- $1 = acme
-- $2 = rocket
-- $3 = [1]

