// Command settings writes the settings of rtbeat into rtbeat.reference.yml and docs/configuration.md, between marks, from
// their declarations: the doc comments, the tags and the defaults.
package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/setting"
	"github.com/txn2/rtbeat/tools/generate"
)

const module = "github.com/txn2/rtbeat/"

func main() { generate.Main(files) }

func files() (map[string][]byte, error) {
	entries, err := entriesOf("", reflect.ValueOf(config.Default()), docs{})
	if err != nil {
		return nil, err
	}
	file, err1 := generate.Page("rtbeat.reference.yml", generate.InYAML, map[string]string{"settings": reference(entries)})
	manual, err2 := generate.Page("docs/configuration.md", generate.InMarkdown, map[string]string{"settings": table(entries), "presets": presets()})
	return map[string][]byte{"rtbeat.reference.yml": file, "docs/configuration.md": manual}, errors.Join(err1, err2)
}

// entry is a setting, or a group of settings.
type entry struct {
	key     string // in full, such as "dedupe.window"
	isGroup bool
	inList  bool   // a setting of a group in a list: the reference file has none
	text    string // in Markdown
	value   string // the default, as the file writes it
}

// entriesOf returns the settings of a group, in order. The settings under ssl are written by hand.
func entriesOf(prefix string, settings reflect.Value, docs docs) (entries []entry, err error) {
	for field := range config.Fields(settings.Type()) {
		if field.IsShared() {
			continue
		}
		text, err := docs.of(field)
		if err != nil {
			return nil, err
		}
		e := entry{key: prefix + field.Key, isGroup: field.IsGroup(), text: text}
		value := settings.FieldByIndex(field.Index)
		if !e.isGroup {
			e.value = literal(value)
			entries = append(entries, e)
			if field.IsList() {
				inner, err := entriesInList(e.key, field.Type.Elem(), settings.Type(), docs)
				if err != nil {
					return nil, err
				}
				entries = append(entries, inner...)
			}
			continue
		}
		inner, err := entriesOf(e.key+".", value, docs)
		if err != nil {
			return nil, err
		}
		entries = append(append(entries, e), inner...)
	}
	return entries, nil
}

// entriesInList returns the settings that only a group in a list has. The others are documented outside of the list.
func entriesInList(list string, group, outside reflect.Type, docs docs) (entries []entry, err error) {
	isOutside := make(map[string]bool)
	for field := range config.Fields(outside) {
		isOutside[field.Key] = true
	}
	for field := range config.Fields(group) {
		if isOutside[field.Key] {
			continue
		}
		text, err := docs.of(field)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{key: list + ".*." + field.Key, inList: true, text: text, value: literal(reflect.Zero(field.Type))})
	}
	return entries, nil
}

// docs are the doc comments of fields, by package, type and field.
type docs map[string]map[string]string

// of returns the first paragraph of a doc comment as a text of the manual: "Host is the address" becomes "The address".
func (d docs) of(field config.Field) (string, error) {
	path := field.Struct.PkgPath()
	if d[path] == nil {
		comments, err := commentsIn(strings.TrimPrefix(path, module))
		if err != nil {
			return "", err
		}
		d[path] = comments
	}
	paragraph, _, _ := strings.Cut(d[path][field.Struct.Name()+"."+field.Name], "\n\n")
	text, found := strings.CutPrefix(strings.Join(strings.Fields(paragraph), " "), field.Name+" ")
	if !found {
		return "", fmt.Errorf("the comment of %s.%s does not begin with its name", field.Struct, field.Name)
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text, "is "), "are ")
	return strings.ToUpper(text[:1]) + text[1:], nil
}

// commentsIn returns the doc comments of the fields of all structs in a directory, by type and field.
func commentsIn(dir string) (map[string]string, error) {
	comments := make(map[string]string)
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, isType := n.(*ast.TypeSpec)
			if !isType {
				return true
			}
			if declared, isStruct := spec.Type.(*ast.StructType); isStruct {
				for _, field := range declared.Fields.List {
					for _, name := range field.Names {
						comments[spec.Name.Name+"."+name.Name] = field.Doc.Text()
					}
				}
			}
			return true
		})
	}
	return comments, nil
}

// plain are the texts that need no quotes in YAML.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)

// literal writes a default as the file has it.
func literal(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		if value > 0 && value%time.Minute == 0 {
			return fmt.Sprintf("%dm", value/time.Minute)
		}
		return fmt.Sprint(value.Seconds())
	case setting.ByteSize:
		return size(int64(value))
	case setting.FileMode:
		return fmt.Sprintf(`"%#o"`, uint32(value))
	case []string:
		return "[" + strings.Join(value, ", ") + "]"
	case map[string]any: // no default has any
		return "{}"
	}
	if v.Kind() == reflect.Map { // the defaults have none
		return "{}"
	}
	if v.Kind() == reflect.String && !plain.MatchString(v.String()) {
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(v.Interface())
}

// size writes a number of bytes in the largest unit of which it is a multiple.
func size(n int64) string {
	units := []string{"", "KiB", "MiB", "GiB"}
	for len(units) > 1 && n > 0 && n%1024 == 0 {
		n, units = n/1024, units[1:]
	}
	return fmt.Sprint(n) + units[0]
}

// table is the section of the manual.
func table(entries []entry) string {
	var out strings.Builder
	out.WriteString("\n| key | default | meaning |\n|---|---|---|\n")
	for _, e := range entries {
		if !e.isGroup {
			fmt.Fprintf(&out, "| `%s` | `%s` | %s |\n", e.key, e.value, strings.ReplaceAll(e.text, "|", `\|`))
		}
	}
	return out.String()
}

// reference is the section of the reference file. A group of the first level is a block; the groups in it are a part of the
// keys.
func reference(entries []entry) string {
	var out strings.Builder
	block := "" // the group that the settings are in
	gap := ""   // before the next setting
	for _, e := range entries {
		if e.inList {
			continue
		}
		key, indent := e.key, "  "
		if block != "" && strings.HasPrefix(key, block) {
			key, indent = strings.TrimPrefix(key, block), "    "
			if e.isGroup {
				continue
			}
		}
		out.WriteString(gap)
		comment(&out, indent, withoutMarkup(e.text))
		if e.isGroup {
			block, gap = e.key+".", ""
			fmt.Fprintf(&out, "%s%s:\n", indent, key)
			continue
		}
		gap = "\n"
		fmt.Fprintf(&out, "%s%s: %s\n", indent, key, e.value)
	}
	return out.String()
}

// width is the longest line of the reference file.
const width = 120

func comment(out *strings.Builder, indent, text string) {
	line := indent + "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width {
			fmt.Fprintln(out, line)
			line = indent + "#"
		}
		line += " " + word
	}
	fmt.Fprintln(out, line)
}

var (
	links = regexp.MustCompile(`\[([^\[\]]+)\]\([^()]+\)`)
	pages = regexp.MustCompile(`\[([a-z]+\.md)\]\([^()]+\)`)
)

// withoutMarkup is a text of Markdown as a comment in YAML.
func withoutMarkup(text string) string {
	text = pages.ReplaceAllString(text, "docs/$1")
	return strings.ReplaceAll(links.ReplaceAllString(text, "$1"), "`", "")
}
