package config

import (
	"iter"
	"reflect"
	"slices"
)

// Field is a setting, or a group of settings, in a struct with config tags.
type Field struct {
	reflect.StructField // Index leads to it through the structs that are inlined

	Key    string       // its name in the file
	Struct reflect.Type // declares it
}

// Fields returns the settings and groups of a group, in order. It includes the fields of inlined structs.
func Fields(settings reflect.Type) iter.Seq[Field] {
	return func(yield func(Field) bool) { fields(settings, nil, yield) }
}

func fields(settings reflect.Type, index []int, yield func(Field) bool) bool {
	for field := range settings.Fields() {
		field.Index = append(slices.Clip(index), field.Index...)
		switch key := field.Tag.Get("config"); key {
		case ",ignore":
		case ",inline":
			if !fields(field.Type, field.Index, yield) {
				return false
			}
		default:
			if !yield(Field{field, key, settings}) {
				return false
			}
		}
	}
	return true
}

func fieldOf(settings reflect.Type, key string) (Field, bool) {
	for field := range Fields(settings) {
		if field.Key == key {
			return field, true
		}
	}
	return Field{}, false
}

// IsGroup tells a group of settings from a setting: no single value is a struct.
func (f Field) IsGroup() bool { return f.Type.Kind() == reflect.Struct }

// IsShared tells a group that is the same in every Beat.
func (f Field) IsShared() bool {
	return f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct
}

// IsList tells a list of groups from a list of values, such as secrets.
func (f Field) IsList() bool {
	return f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct && f.Type.Elem().Field(0).Tag.Get("config") != ""
}

// group returns the struct with the settings of a group, or nil for a setting.
func (f Field) group() reflect.Type {
	if f.IsGroup() {
		return f.Type
	}
	if f.IsShared() {
		return f.Type.Elem()
	}
	return nil
}
