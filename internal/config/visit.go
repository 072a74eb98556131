package config

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/spanway/spanway/internal/check"
)

// checker is what settings are that have rules of their own.
type checker interface{ Check(p check.Problems) }

// visit asks all settings in v what is wrong with them. A new settings struct
// needs no more than a Check method.
func visit(p check.Problems, v reflect.Value) {
	if v.CanAddr() {
		if settings, ok := reflect.TypeAssert[checker](v.Addr()); ok {
			settings.Check(p)
		}
	}
	if _, ok := scalars[v.Type()]; ok {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visit(p, v.Elem())
		}
	case reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			visit(p.At(f.name), v.FieldByIndex(f.index))
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(p.At(i), v.Index(i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		for _, key := range keys {
			visit(p.At(key.String()), v.MapIndex(key))
		}
	}
}
