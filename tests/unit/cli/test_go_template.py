import pytest

from cli.go_template import Struct, Template, TemplateError

DATA = {
    "Name": "web",
    "Driver": {"IPAddress": "192.0.2.7", "SSHPort": 22, "Nothing": None},
    "Labels": ["tier=web", "zone=a"],
    "Empty": [],
    "TlsVerify": True,
    "Map": {"x": 1, "a": None},
}
FILLED = [
    ("", ""),
    ("plain {text}", "plain {text}"),
    ("{{.Name}}", "web"),
    ("{{ .Driver.IPAddress }}:{{.Driver.SSHPort}}", "192.0.2.7:22"),
    ("{{.Nope}}, {{.Nope.Deeper}}, {{.Driver.Nothing}}", "<no value>, <no value>, <no value>"),
    ("{{.Labels}} {{.Map}} {{.TlsVerify}}", "[tier=web zone=a] map[a:<nil> x:1] true"),
    ('{{index .Labels 1}} {{index .Map "x"}} {{index .Driver "Nope"}}', "zone=a 1 <no value>"),
    ("{{json .Driver}}", '{"IPAddress":"192.0.2.7","Nothing":null,"SSHPort":22}'),
    ("{{json .Nope}} {{.TlsVerify | json}}", "null true"),
    ("{{prettyjson .Map}}", '{\n    "a": null,\n    "x": 1\n}'),
    ('{{join .Labels ","}} {{len .Labels}}', "tier=web,zone=a 2"),
    ('{{.Name | upper | printf "%-5s|%d%%" | lower}}', "web  |%!d(missing)%"),
    ('{{printf "%q %03d %v" .Name 7 .Labels}}', '"web" 007 [tier=web zone=a]'),
    ('{{title "two words"}} {{lower "ABC"}} {{split "a.b" "."}}', "Two Words abc [a b]"),
    ("{{if .Empty}}yes{{else if .TlsVerify}}else{{else}}no{{end}}", "else"),
    ("{{if .Nope}}yes{{end}}{{if not .Nope}}no{{end}}", "no"),
    ("{{if and .TlsVerify (eq .Name `web`)}}both{{end}} {{or .Empty 5}} {{ne 1 2}}", "both 5 true"),
    ("{{range .Labels}}<{{.}}>{{else}}none{{end}}", "<tier=web><zone=a>"),
    ("{{range .Empty}}<{{.}}>{{else}}none{{end}}", "none"),
    ("{{range .Labels}}{{else}}none{{end}}", ""),
    ("{{range .Map}}{{.}};{{end}}", "<no value>;1;"),
    ("a {{- .Name -}} b", "awebb"),
    ("{{1}}{{true}}", "1true"),
    (r'{{"}}"}} {{`raw\n`}} {{"tab\tü\""}}', '}} raw\\n tab\tü"'),
]
REFUSED = [
    ("{{.Name", "template parsing error: unclosed action"),
    ("{{}}", "template parsing error: missing value for command"),
    ("{{if}}x{{end}}", "template parsing error: missing value for command"),
    ('{{bogus "x"}}', 'template parsing error: function "bogus" not defined'),
    ("{{end}}", "template parsing error: unexpected {{end}}"),
    ("{{else}}", "template parsing error: unexpected {{else}}"),
    ("{{if .Name}}x", "template parsing error: unexpected EOF: {{if}} has no {{end}}"),
    ("{{if .Name}}x{{else y}}z{{end}}", "template parsing error: unexpected {{else y}}"),
    ("{{(.Name}}", "template parsing error: unclosed left paren"),
    ("{{.Name)}}", "template parsing error: unexpected ')' in command"),
    ("{{.Name .Name}}", "template parsing error: can't give arguments to what is no function"),
    ("{{.Name | .Name}}", "template parsing error: can't give arguments to what is no function"),
    ("{{len )}}", "template parsing error: unexpected ')' in command"),
    ("{{$x}}", "template parsing error: unexpected '$' in command"),
    ("{{.Name.First}}", "can't evaluate field First of web"),
    ("{{range .Name}}{{end}}", "range can't iterate over web"),
    ("{{index .Labels 9}}", "error calling index: wrong arguments: [tier=web zone=a], 9"),
    ("{{len}}", "error calling len: wrong arguments: none"),
    ("{{upper .Driver.SSHPort}}", "error calling upper: wrong arguments: 22"),
]


@pytest.mark.parametrize(("source", "text"), FILLED)
def test_a_template_is_filled_in_as_go_does(source: str, text: str) -> None:
    assert Template(source).render(DATA) == text


@pytest.mark.parametrize(("source", "message"), REFUSED)
def test_what_a_template_cannot_mean_is_said(source: str, message: str) -> None:
    with pytest.raises(TemplateError) as raised:
        Template(source).render(DATA)
    assert raised.value.message == message
    assert raised.value.exit_code == 1


def test_a_struct_has_the_fields_that_it_has_and_no_other() -> None:
    data = Struct(Name="web", Options=None)
    assert Template("{{.Name}} {{.Options}}").render(data) == "web <no value>"
    with pytest.raises(TemplateError) as raised:
        Template("{{.Nme}}").render(data)
    assert (raised.value.message, raised.value.mend) == ("can't evaluate field Nme", "the fields are: Name, Options")
