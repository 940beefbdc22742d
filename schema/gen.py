#!/usr/bin/env python3
"""Makes everything that is generated: `make generated`. Output is committed and `make lint` fails
when it is not what this program makes.

    schema/messages/*.json  -> schema/gen/messages.[ch]    structs, decoders, encoders
    schema/files/*.json     -> schema/gen/files.[ch]       tables for common/schema/check.h
    schema/queries/*.sql    -> schema/gen/queries.[ch]     {name, text, nparams}
    common/base/states.h    -> schema/migrations/0002_states.sql, docs/states.md
    schema/migrations/*.sql -> schema/gen/migrations.[ch]
"""
import hashlib
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
GEN = ROOT / "schema" / "gen"
NOTE = "/* Made by schema/gen.py from {}; do not edit. */\n"


def c_string(text):
    out = []
    for line in text.splitlines(keepends=True) or [""]:
        body = line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        body = body.replace("??", "?\\?")
        out.append(f'"{body}"')
    return "\n    ".join(out)


def upper(name):
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()


# ---- messages ------------------------------------------------------------------------------

class Shape:
    def __init__(self, name, top):
        self.name, self.top, self.fields, self.enums, self.title = name, top, [], [], ""


def field_kind(schema):
    if schema.get("x-json"):
        return "JSON"
    kind = schema["type"]
    if kind == "string":
        return "UUID" if schema.get("format") == "uuid" else "ENUM" if "enum" in schema else "STRING"
    return {"integer": "INTEGER", "number": "NUMBER", "boolean": "BOOLEAN",
            "object": "OBJECT", "array": "ARRAY"}[kind]


def read_shape(schema, shapes, top):
    shape = Shape(schema["x-struct"], top)
    shape.title = schema.get("title", schema.get("description", ""))
    for name, prop in schema["properties"].items():
        kind = field_kind(prop)
        items = field_kind(prop["items"]) if kind == "ARRAY" else None
        inner = prop["items"] if kind == "ARRAY" else prop
        if "OBJECT" in (kind, items):
            read_shape(inner, shapes, False)
        if kind == "ENUM":
            shape.enums.append((f"{shape.name}_{name}", prop["enum"]))
        shape.fields.append((name, kind, items, prop, inner, name in schema.get("required", [])))
    shapes.append(shape)
    return shape


C_TYPES = {"STRING": "const char *", "UUID": "struct uuid ", "ENUM": "int ", "INTEGER": "int64_t ",
           "NUMBER": "double ", "BOOLEAN": "bool ", "JSON": "json_t *"}


def member_lines(shape):
    for name, kind, items, prop, inner, _ in shape.fields:
        note = prop.get("description", "")
        if kind == "ENUM":
            note = f"enum {shape.name}_{name}" + (f"; {note}" if note else "")
        note = f" /* {note} */" if note else ""
        if kind == "ARRAY":
            base = f"struct {inner['x-struct']} " if items == "OBJECT" else C_TYPES[items]
            yield f"    {base}*{name};{note}"
            yield f"    size_t {name}_count;"
        elif kind == "OBJECT":
            yield f"    struct {prop['x-struct']} *{name};{note}"
        else:
            yield f"    {C_TYPES[kind]}{name};{note}"


def enum_lines(name, words):
    yield f"enum {name} {{"
    yield f"    {upper(name)}_NONE,"
    for word in words:
        yield f"    {upper(name)}_{upper(word)},"
    yield "};"
    yield f"const char *{name}_name(int value); /* \"\" for {upper(name)}_NONE */"
    yield ""


def field_row(shape, row):
    name, kind, items, prop, inner, required = row
    parts = [f'.name = "{name}"', f".kind = FIELD_{kind}",
             f".offset = offsetof(struct {shape.name}, {name})"]
    if required:
        parts.append(".required = true")
    if kind == "ARRAY":
        parts += [f".items = FIELD_{items}", f".count_offset = offsetof(struct {shape.name}, {name}_count)"]
    if "OBJECT" in (kind, items):
        parts.append(f".shape = &shape_{inner['x-struct']}")
    if kind == "ENUM":
        parts.append(f".names = {shape.name}_{name}_words")
    if "const" in prop:
        parts.append(f'.fixed = "{prop["const"]}"')
    parts.append(f".least = {prop['minimum'] if 'minimum' in prop else 'INT64_MIN'}")
    parts.append(f".most = {prop['maximum'] if 'maximum' in prop else 'INT64_MAX'}")
    if "maxLength" in prop:
        parts.append(f".longest = {prop['maxLength']}")
    return "    {" + ", ".join(parts) + "},"


def make_messages(out):
    shapes = []
    for path in sorted((ROOT / "schema/messages").glob("*.json")):
        read_shape(json.loads(path.read_text()), shapes, True)
    h = [NOTE.format("schema/messages"), "#pragma once", '#include "common/schema/message.h"', ""]
    c = [NOTE.format("schema/messages"), '#include "schema/gen/messages.h"', ""]
    for s in shapes:
        for name, words in s.enums:
            h += enum_lines(name, words)
            listed = ", ".join(f'"{w}"' for w in words)
            c += [f'static const char *const {name}_words[] = {{"", {listed}, NULL}};', "",
                  f"const char *{name}_name(int value)", "{",
                  f"    return {name}_words[value];", "}", ""]
        h += [f"/* {s.title} */"] if s.title else []
        h += [f"struct {s.name} {{"] + (["    struct message_hold hold;"] if s.top else [])
        h += list(member_lines(s)) + ["};", f"extern const struct shape shape_{s.name};"]
        c += [f"static const struct field {s.name}_fields[] = {{"]
        c += [field_row(s, row) for row in s.fields] + ["};", ""]
        c += [f"const struct shape shape_{s.name} = {{\"{s.name}\", sizeof(struct {s.name}), "
              f"{s.name}_fields, {len(s.fields)}}};", ""]
        if s.top:
            h += [f"int {s.name}_decode(const char *data, size_t len, struct {s.name} *out, struct err *err);",
                  f"char *{s.name}_encode(const struct {s.name} *message, size_t *len); /* malloc'd */",
                  f"void {s.name}_clear(struct {s.name} *message);"]
            c += [f"int {s.name}_decode(const char *data, size_t len, struct {s.name} *out, struct err *err)",
                  "{", f"    return message_decode(&shape_{s.name}, data, len, out, err);", "}", "",
                  f"char *{s.name}_encode(const struct {s.name} *message, size_t *len)",
                  "{", f"    return message_encode(&shape_{s.name}, message, len);", "}", "",
                  f"void {s.name}_clear(struct {s.name} *message)",
                  "{", "    message_clear(message);", "}", ""]
        h.append("")
    out["schema/gen/messages.h"], out["schema/gen/messages.c"] = "\n".join(h), "\n".join(c)


# ---- files ---------------------------------------------------------------------------------

BITS = {"object": "SCHEMA_OBJECT", "array": "SCHEMA_ARRAY", "string": "SCHEMA_STRING",
        "integer": "SCHEMA_INTEGER", "number": "SCHEMA_NUMBER", "boolean": "SCHEMA_BOOLEAN",
        "null": "SCHEMA_NULL"}
KNOWN = {"type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems",
         "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "enum", "const", "oneOf",
         "default", "description", "pattern", "$ref", "title", "$schema", "$id", "$defs", "examples",
         "x-names", "x-hint"}
NAMES = {
    "name": ("^[a-z0-9][a-z0-9_.-]{0,62}$",
             "be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit"),
    "key": ("^[A-Za-z_][A-Za-z0-9_]{0,62}$",
            "be 1 to 63 of A-Z a-z 0-9 _ and not begin with a digit"),
    "var": ("^_[A-Z0-9_]{1,62}$", "begin with _ and go on with A-Z 0-9 _"),
}


class FileTable:
    """One schema file as static tables; $defs become named nodes, so recursion is possible."""

    def __init__(self, name, schema):
        self.name, self.schema, self.lines, self.head, self.count = name, schema, [], [], 0

    def fresh(self, what):
        self.count += 1
        return f"{self.name}_{what}_{self.count}"

    def emit(self):
        self.head = [f"static const struct schema_node {self.name}_def_{key};" for key in self.schema.get("$defs", {})]
        for key, node in self.schema.get("$defs", {}).items():
            body = self.body(node)
            self.lines.append(f"static const struct schema_node {self.name}_def_{key} = {body};")
        body = self.body(self.schema)
        self.lines.append(f"const struct schema_node SCHEMA_{upper(self.name)} = {body};")
        return "\n".join(self.lines)

    def node(self, schema):
        if "$ref" in schema:  # "#/$defs/X", or "FILE.json#/$defs/X" of another file of the folder
            file, key = schema["$ref"].split("#/$defs/")
            return f"&{file.removesuffix('.json') or self.name}_def_{key}"
        name = self.fresh("node")
        body = self.body(schema)
        self.lines.append(f"static const struct schema_node {name} = {body};")
        return f"&{name}"

    def body(self, s):
        unknown = set(s) - KNOWN
        if unknown:
            sys.exit(f"schema/files/{self.name}.json: {sorted(unknown)} is not in the part of JSON Schema in use")
        parts = []
        kinds = s.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds:
            parts.append(".types = " + " | ".join(BITS[k] for k in kinds))
        elif "enum" in s or "const" in s:
            parts.append(".types = SCHEMA_STRING")
        parts += self.object_parts(s) + self.value_parts(s)
        return "{" + ", ".join(parts or [".types = 0"]) + "}"

    def object_parts(self, s):
        parts = []
        if "properties" in s:
            rows = ", ".join(
                f'{{"{k}", {self.node(v)}, {"true" if k in s.get("required", []) else "false"}}}'
                for k, v in s["properties"].items())
            name = self.fresh("properties")
            self.lines.append(f"static const struct schema_property {name}[] = {{{rows}}};")
            parts += [f".properties = {name}", f".property_count = {len(s['properties'])}"]
        extra = s.get("additionalProperties")
        if extra is False:
            parts.append(".closed = true")
        elif isinstance(extra, dict):
            parts.append(f".additional = {self.node(extra)}")
        if "x-names" in s:
            pattern, hint = NAMES[s["x-names"]]
            parts += [f".names = {c_string(pattern)}", f".names_hint = {c_string(hint)}"]
        return parts

    def value_parts(self, s):
        parts = []
        if "items" in s:
            parts.append(f".items = {self.node(s['items'])}")
        for key, field in (("minItems", "min_items"), ("maxItems", "max_items"),
                           ("minLength", "min_length"), ("maxLength", "max_length")):
            if key in s:
                parts.append(f".{field} = {s[key]}")
        if "minimum" in s or "exclusiveMinimum" in s:
            parts += [".has_least = true", f".least = {s.get('minimum', s.get('exclusiveMinimum'))}"]
        if "exclusiveMinimum" in s:
            parts.append(".least_excluded = true")
        if "maximum" in s:
            parts += [".has_most = true", f".most = {s['maximum']}"]
        words = s.get("enum", [s["const"]] if "const" in s else None)
        if words:
            name = self.fresh("words")
            self.lines.append(f"static const char *const {name}[] = {{{', '.join(c_string(w) for w in words)}, NULL}};")
            parts.append(f".words = {name}")
        if "pattern" in s:
            parts.append(f".pattern = {c_string(s['pattern'])}")
        if "x-hint" in s:
            parts.append(f".names_hint = {c_string(s['x-hint'])}")
        if "oneOf" in s:
            nodes = ", ".join(self.node(a) for a in s["oneOf"])
            name = self.fresh("alternatives")
            self.lines.append(f"static const struct schema_node *const {name}[] = {{{nodes}, NULL}};")
            parts.append(f".alternatives = {name}")
        return parts


def resolve_alternative_types(schema, defs):
    """oneOf picks by type, so each alternative, or the definition that it refers to, has one."""
    for alternative in schema.get("oneOf", []):
        target = defs[alternative["$ref"].rsplit("/", 1)[1]] if "$ref" in alternative else alternative
        if "type" not in target and "enum" not in target:
            sys.exit(f"oneOf needs a type in each alternative: {alternative}")


def make_files(out):
    h = [NOTE.format("schema/files"), "#pragma once", '#include "common/schema/check.h"', ""]
    c = [NOTE.format("schema/files"), '#include "schema/gen/files.h"', ""]
    heads, tables = [], []
    for path in sorted((ROOT / "schema/files").glob("*.json")):
        schema = json.loads(path.read_text())
        resolve_alternative_types(schema, schema.get("$defs", {}))
        h.append(f"extern const struct schema_node SCHEMA_{upper(path.stem)};")
        table = FileTable(path.stem, schema)
        tables += [table.emit(), ""]
        heads += table.head
    c += heads + [""] + tables
    out["schema/gen/files.h"] = "\n".join(h) + "\n"
    out["schema/gen/files.c"] = "\n".join(c)


# ---- queries -------------------------------------------------------------------------------

def read_queries():
    for path in sorted((ROOT / "schema/queries").glob("*.sql")):
        name, lines = None, []
        for line in path.read_text().splitlines() + ["-- name: "]:
            header = re.match(r"-- name: *(\w*)", line)
            if not header:
                lines.append(line)
                continue
            if name:
                yield path.name, name, "\n".join(lines).strip().rstrip(";")
            name, lines = header[1], []


def make_queries(out):
    queries = list(read_queries())
    names = [q[1] for q in queries]
    if len(set(names)) != len(names):
        sys.exit("schema/queries: a name stands twice: " + str({n for n in names if names.count(n) > 1}))
    h = [NOTE.format("schema/queries"), "#pragma once", "", "enum query_id {"]
    h += [f"    QUERY_{upper(n)}, /* {f} */" for f, n, _ in queries] + ["    QUERY_COUNT", "};", ""]
    h += ["struct query {", "    const char *name;", "    const char *text;", "    int nparams;", "};", "",
          "extern const struct query QUERIES[];", ""]
    c = [NOTE.format("schema/queries"), '#include "schema/gen/queries.h"', "", "const struct query QUERIES[] = {"]
    for _, name, text in queries:
        plain = re.sub(r"--[^\n]*|'[^']*'", "", text)
        count = max([int(n) for n in re.findall(r"\$(\d+)", plain)] or [0])
        c.append(f'    {{"{name}",\n    {c_string(text)},\n    {count}}},')
    c += ['    {0, 0, 0}', "};", ""]
    out["schema/gen/queries.h"], out["schema/gen/queries.c"] = "\n".join(h), "\n".join(c)


# ---- states --------------------------------------------------------------------------------

def table_rows(body):
    """(id, name, states that may follow) of each S(…) of an X-macro table."""
    for start in [m.end() for m in re.finditer(r"\bS\(", body)]:
        depth, end = 1, start
        while depth:
            depth += {"(": 1, ")": -1}.get(body[end], 0)
            end += 1
        row = body[start:end - 1]
        ident, name = re.match(r'\s*(\w+),\s*"(\w+)"', row).groups()
        yield ident, name, re.findall(r"\bTO\((\w+)\)", row)


def read_machines():
    text = (ROOT / "common/base/states.h").read_text().replace("\\\n", " ")
    listed = re.search(r"#define MACHINES\(M\)(.*?)\n\n", text, re.S)[1]
    for lower, _, table in re.findall(r"M\((\w+), *(\w+), *(\w+)\)", listed):
        rows = list(table_rows(re.search(rf"#define {table}\(S, TO\)(.*?)\n", text, re.S)[1]))
        names = {ident: name for ident, name, _ in rows}
        yield lower, [(name, [names[t] for t in to]) for _, name, to in rows]


# Which column holds which machine's states, and whether only terminal ones may stand there.
COLUMNS = [("run_live", "run", False), ("run_done", "run", True), ("step_live", "step", False),
           ("step_result", "step", True), ("attempt_done", "attempt", True), ("worker", "worker", None)]


def sql_list(words):
    return ", ".join(f"'{w}'" for w in words)


def reachable(machine):
    """A batch writes only the last of several moves: every state that can be reached may follow."""
    after = {name: list(to) for name, to in machine}
    for name, found in after.items():
        for step in found:  # grows while it is walked
            found += [t for t in after[step] if t not in found and t != name]
    return [(name, t) for name, _ in machine for t, _ in machine if t in after[name]]


def make_states(out):
    machines = dict(read_machines())
    sql = ["-- Made by schema/gen.py from common/base/states.h; do not edit.",
           "-- The states that a column may hold, and the moves that a row may make.", ""]
    for table, machine, terminal in COLUMNS:
        states = [n for n, to in machines[machine] if terminal is None or (not to) == terminal]
        sql.append(f"ALTER TABLE {table} ADD CONSTRAINT {table}_state CHECK (state IN ({sql_list(states)}));")
    sql.append("")
    for table, machine, terminal in COLUMNS:
        if terminal:
            sql += [f"CREATE FUNCTION {table}_is_final() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN",
                    f"    RAISE EXCEPTION '{table} is history: a row of it never changes';", "END $$;",
                    f"CREATE TRIGGER {table}_is_final BEFORE UPDATE ON {table}",
                    f"    FOR EACH ROW EXECUTE FUNCTION {table}_is_final();"]
            continue
        moves = [f"('{n}', '{t}')" for n, t in reachable(machines[machine])]
        sql += [f"CREATE FUNCTION {table}_moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN",
                "    IF (OLD.state, NEW.state) NOT IN (",
                "        " + ",\n        ".join(", ".join(moves[i:i + 3]) for i in range(0, len(moves), 3)) + ") THEN",
                f"        RAISE EXCEPTION '{machine}: % does not follow %', NEW.state, OLD.state;", "    END IF;",
                "    RETURN NEW;", "END $$;",
                f"CREATE TRIGGER {table}_moves BEFORE UPDATE OF state ON {table} FOR EACH ROW",
                f"    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION {table}_moves();"]
    out["schema/migrations/0002_states.sql"] = "\n".join(sql) + "\n"
    doc = ["# States", "", "Made from `common/base/states.h`; `leat dump machines` prints the same.", ""]
    for name, rows in machines.items():
        doc += [f"## {name}", "", "```mermaid", "stateDiagram-v2"]
        doc += [f"    {n} --> {t}" for n, to in rows for t in to]
        doc += [f"    {n} --> [*]" for n, to in rows if not to] + ["```", ""]
    out["docs/states.md"] = "\n".join(doc)


# ---- migrations ----------------------------------------------------------------------------

def make_migrations(out):
    texts = {p.name: p.read_text() for p in sorted((ROOT / "schema/migrations").glob("*.sql"))}
    texts.update({pathlib.Path(k).name: v for k, v in out.items() if k.startswith("schema/migrations/")})
    h = [NOTE.format("schema/migrations"), "#pragma once", "", "struct migration {", "    int number;",
         "    const char *name;", "    const char *text;", "    const char *sha256;", "};", "",
         "extern const struct migration MIGRATIONS[];", "extern const int MIGRATION_COUNT;", ""]
    c = [NOTE.format("schema/migrations"), '#include "schema/gen/migrations.h"', "",
         "const struct migration MIGRATIONS[] = {"]
    for expected, (file, text) in enumerate(sorted(texts.items()), 1):
        number = int(file[:4])
        if number != expected:
            sys.exit(f"schema/migrations: {file} should be number {expected:04}")
        c.append(f'    {{{number}, "{file[5:-4]}",\n    {c_string(text)},\n'
                 f'    "{hashlib.sha256(text.encode()).hexdigest()}"}},')
    c += ["};", "", f"const int MIGRATION_COUNT = {len(texts)};", ""]
    out["schema/gen/migrations.h"], out["schema/gen/migrations.c"] = "\n".join(h), "\n".join(c)


def main():
    out = {}
    make_messages(out)
    make_files(out)
    make_queries(out)
    make_states(out)
    make_migrations(out)
    stale = [p for p, text in out.items() if not (ROOT / p).exists() or (ROOT / p).read_text() != text]
    if "--check" in sys.argv:
        if stale:
            sys.exit("not current (run `make generated`): " + ", ".join(stale))
        return
    GEN.mkdir(exist_ok=True)
    for path in stale:
        (ROOT / path).write_text(out[path])
        print("made", path)


if __name__ == "__main__":
    main()
