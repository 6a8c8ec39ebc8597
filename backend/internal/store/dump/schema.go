package dump

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/backup"
	"madoguchi.example/backend/internal/store"
)

// querier is a transaction or a connection.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// What the engines say of their columns: table, column, type, and the place in the primary
// key, 0 for none.
var catalogue = map[store.Engine]string{
	store.SQLite: `SELECT t.name, c.name, c.type, c.pk FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
		WHERE t.schema = 'main' AND t.type = 'table'`,
	store.Postgres: `SELECT c.table_name, c.column_name, c.data_type, coalesce(k.ordinal_position, 0)
		FROM information_schema.columns c
		LEFT JOIN information_schema.table_constraints p ON p.table_schema = c.table_schema AND p.table_name = c.table_name
			AND p.constraint_type = 'PRIMARY KEY'
		LEFT JOIN information_schema.key_column_usage k ON k.constraint_schema = p.constraint_schema AND k.constraint_name = p.constraint_name
			AND k.table_name = c.table_name AND k.column_name = c.column_name
		WHERE c.table_schema = current_schema()`,
}

var kinds = map[string]kind{
	"integer": whole, "bigint": whole, "text": text, "blob": octets, "bytea": octets, "boolean": boolean,
}

// readSchema lists our tables by name, with their columns by name.
func readSchema(ctx context.Context, q querier, e store.Engine) (schema, error) {
	rows, err := q.QueryContext(ctx, catalogue[e])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]*found{}
	for rows.Next() {
		var name, column, declared string
		var key int
		if err := rows.Scan(&name, &column, &declared, &key); err != nil {
			return nil, err
		}
		if !backup.Holds(name) {
			continue
		}
		if err := add(all, name, column, declared, key); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return sorted(all)
}

// found is a table while its columns are read.
type found struct {
	kinds map[string]kind
	key   map[int]string
}

func add(all map[string]*found, name, column, declared string, key int) error {
	k, known := kinds[strings.ToLower(declared)]
	if !known {
		return fmt.Errorf("column %s.%s is of a kind that a backup does not know", name, column)
	}
	t := all[name]
	if t == nil {
		t = &found{kinds: map[string]kind{}, key: map[int]string{}}
		all[name] = t
	}
	t.kinds[column] = k
	if key > 0 {
		t.key[key] = column
	}
	return nil
}

func sorted(all map[string]*found) (schema, error) {
	var out schema
	for name, f := range all {
		t := table{Table: backup.Table{Name: name}}
		for column := range f.kinds {
			t.Columns = append(t.Columns, column)
		}
		slices.Sort(t.Columns)
		for _, column := range t.Columns {
			t.kinds = append(t.kinds, f.kinds[column])
		}
		for i := 1; i <= len(f.key); i++ {
			t.Key = append(t.Key, f.key[i])
		}
		if len(t.Key) == 0 {
			return nil, fmt.Errorf("table %s has no primary key", name)
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b table) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// versions lists the migrations that were applied, in order.
func versions(ctx context.Context, q querier) ([]int64, error) {
	rows, err := q.QueryContext(ctx, `SELECT DISTINCT version_id FROM goose_db_version WHERE version_id > 0 ORDER BY version_id`)
	if err != nil {
		return nil, fmt.Errorf("cannot read the schema's versions: %w", err)
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var v int64
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
