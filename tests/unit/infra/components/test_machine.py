"""The Machine component: the same outputs for every provider, and what each of its children is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from infra.authority import AFTER_ADOPTION, AuthoritySpec
from infra.components import refusals
from infra.components.machine import Machine, docker_url
from infra.components.tls import Authority
from infra.errors import UsageError
from infra.machine import EngineSpec, MachineSpec
from tests.unit.infra.components.test_engine import awaited

OUTPUTS = {
    *("name", "provider", "instance_id", "address", "private_address", "ssh_user", "ssh_port", "docker_url"),
    *("engine_version", "ca_cert", "client_cert", "client_key", "ssh_private_key", "ssh_host_key"),
    *("certificate_expiry", "labels", "running", "engine", "tls_sans"),
    *("ssh_proxy_jump", "ssh_proxy_host_key", "ssh_proxy_private_key"),
}
SECRET = {"client_key", "ssh_private_key", "ssh_proxy_private_key"}
MADE: dict[str, Mapping[str, Any]] = {
    "tls:index/privateKey:PrivateKey": {
        "privateKeyPem": "PEM KEY",
        "privateKeyOpenssh": "OPENSSH KEY",
        "publicKeyOpenssh": "ssh-ed25519 AAAA\n",
    },
    "tls:index/selfSignedCert:SelfSignedCert": {"certPem": "CA"},
    "tls:index/certRequest:CertRequest": {"certRequestPem": "REQUEST"},
    "tls:index/locallySignedCert:LocallySignedCert": {"certPem": "CERT", "validityEndTime": "2027-01-02T03:04:05Z"},
    "command:remote:Command": {"stdout": "engine-version: 28.2.2\n", "stderr": ""},
    "hypervisor:index:VirtualMachine": {
        "address": "127.0.0.1",
        "privateAddress": "10.0.2.15",
        "sshPort": 40022.0,
        "dockerPort": 42376.0,
        "instanceId": "mctl-web-1",
    },
}


class Recorder(pulumi.runtime.Mocks):
    """Stand for the Pulumi engine; refuse what a machine has no business to make."""

    def __init__(self) -> None:
        self.inputs: dict[tuple[str, str], dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.inputs[args.typ, args.name] = dict(args.inputs)
        if args.typ.startswith("mctl:infra:"):
            return "", {}
        assert args.typ in MADE, args.typ
        return f"{args.name}-id", {**args.inputs, **MADE[args.typ]}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(f"unexpected call {args.token}")


class Built:
    """One machine of a spec: its outputs' values, which of them are secret, and all that was sent."""

    def __init__(
        self, spec: MachineSpec, plan: AuthoritySpec | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        self._plan = plan
        recorder = Recorder()
        pulumi.runtime.set_mocks(recorder, project="mctl", stack="prod", preview=False)
        self.values: dict[str, Any] = {}
        self.secret: set[str] = set()
        awaited(lambda: self._build(spec, opts))()
        self.sent = recorder.inputs

    def _build(self, spec: MachineSpec, opts: pulumi.ResourceOptions | None) -> pulumi.Output[None]:
        adopted = pulumi.Output.secret({"ca_cert": "OLD CA", "client_cert": "OLD CERT", "client_key": "OLD KEY"})
        authority = Authority("prod", self._plan, adopted)
        outputs = Machine(spec.name, opts, authority=authority, **spec.to_config()).outputs

        async def secret() -> set[str]:
            return {name for name, output in outputs.items() if await output.is_secret()}

        def keep(both: list[Any]) -> None:
            self.values, self.secret = both

        return pulumi.Output.all(pulumi.Output.all(**outputs), secret()).apply(keep)

    def names(self, kind: str) -> set[str]:
        return {name for token, name in self.sent if token == kind}

    def inputs(self, kind: str, name: str) -> dict[str, Any]:
        return self.sent[kind, name]


def qemu(**options: Any) -> MachineSpec:
    return MachineSpec(
        name="web-1", provider="qemu", options=options, engine=EngineSpec(labels=("tier=web",)), tls_sans=("x.example",)
    )


def generic(tmp_path: Path) -> MachineSpec:
    key = tmp_path / "key"
    key.write_text("THE USER'S KEY")
    return MachineSpec(
        name="box",
        provider="generic",
        options={"ip_address": "192.0.2.7", "ssh_key": str(key), "engine_port": 2377},
        ssh_host_key="ssh-ed25519 HOST",
    )


def test_a_vm_gives_every_output_and_keeps_its_keys_secret() -> None:
    built = Built(qemu())
    assert built.values == {
        "name": "web-1",
        "provider": "qemu",
        "instance_id": "mctl-web-1",
        "address": "127.0.0.1",
        "private_address": "10.0.2.15",
        "ssh_user": "mctl",
        "ssh_port": 40022,
        "docker_url": "tcp://127.0.0.1:42376",
        "engine_version": "28.2.2",
        "ca_cert": "CA",
        "client_cert": "CERT",
        "client_key": "PEM KEY",
        "ssh_private_key": "OPENSSH KEY",
        "ssh_host_key": "ssh-ed25519 AAAA",
        "certificate_expiry": "2027-01-02T03:04:05Z",
        "labels": {"tier": "web"},
        "running": True,
        "engine": {
            "install": "auto",
            "version": "",
            "opts": [],
            "labels": ["tier=web"],
            "insecure_registries": [],
            "registry_mirrors": [],
            "storage_driver": "",
            "env": [],
        },
        "tls_sans": ["x.example"],
        "ssh_proxy_jump": "",
        "ssh_proxy_host_key": "",
        "ssh_proxy_private_key": None,
    }
    assert set(built.values) == OUTPUTS
    assert built.secret == SECRET


def test_a_host_that_was_there_gives_the_same_outputs(tmp_path: Path) -> None:
    built = Built(generic(tmp_path))
    assert set(built.values) == OUTPUTS
    assert built.secret == SECRET
    assert built.values["docker_url"] == "tcp://192.0.2.7:2377"
    assert built.values["ssh_private_key"] == "THE USER'S KEY"


def test_the_outputs_tell_the_engines_settings_without_a_password() -> None:
    spec = EngineSpec(
        env=("HTTPS_PROXY=http://me:s3@cret@proxy.example:3128", "A=b"), install="https://me:pw@x.example/i"
    )
    engine = Built(replace(qemu(), engine=spec)).values["engine"]
    assert engine["env"] == ["HTTPS_PROXY=http://***@proxy.example:3128", "A=b"]
    assert engine["install"] == "https://***@x.example/i"


def test_every_child_of_a_machine_has_its_name(tmp_path: Path) -> None:
    for spec in (qemu(), generic(tmp_path)):
        own = {name for _, name in Built(spec).sent if name not in ("prod", "mctl-prod") and "authority" not in name}
        assert {name for name in own if name != spec.name and not name.startswith(f"{spec.name}-")} == set()


def test_a_vm_gets_its_host_key_and_every_connection_pins_it() -> None:
    built = Built(qemu())
    vm = built.inputs("hypervisor:index:VirtualMachine", "web-1-vm")
    assert vm["hostPublicKey"] == "ssh-ed25519 AAAA"
    assert vm["hostPrivateKey"][rpc._special_sig_key] == rpc._special_secret_sig
    for name in ("web-1-install", "web-1-configure"):
        connection = plain(built.inputs("command:remote:Command", name)["connection"])
        assert (connection["hostKey"], connection["port"], connection["dialErrorLimit"]) == (
            "ssh-ed25519 AAAA",
            40022,
            -1,
        )


def test_no_vm_and_no_key_pair_is_made_for_a_host_that_was_there(tmp_path: Path) -> None:
    built = Built(generic(tmp_path))
    assert built.names("hypervisor:index:VirtualMachine") == set()
    assert {name for name in built.names("tls:index/privateKey:PrivateKey") if "ssh" in name} == set()
    connection = plain(built.inputs("command:remote:Command", "box-install")["connection"])
    assert (connection["hostKey"], connection["dialErrorLimit"]) == ("ssh-ed25519 HOST", 3)


def test_the_server_certificate_names_all_that_the_machine_is_reached_by() -> None:
    request = Built(qemu()).inputs("tls:index/certRequest:CertRequest", "web-1-server")
    assert request["dnsNames"] == ["web-1", "localhost", "x.example"]
    assert request["ipAddresses"] == ["127.0.0.1", "::1", "10.0.2.15"]


def test_a_bastion_is_in_every_connection_with_its_pinned_key_and_a_secret_one_of_ours(tmp_path: Path) -> None:
    key = tmp_path / "bastion"
    key.write_text("THE BASTION'S KEY")
    spec = replace(
        generic(tmp_path),
        ssh_proxy_jump="me@[2001:db8::1]:2222",
        ssh_proxy_host_key="ssh-ed25519 BASTION",
        ssh_proxy_key=str(key),
        provision_scripts=(str(key),),
    )
    built = Built(spec)
    for name in ("box-install", "box-configure", "box-provision-1"):
        connection = built.inputs("command:remote:Command", name)["connection"]
        assert connection[rpc._special_sig_key] == rpc._special_secret_sig
        assert plain(connection)["proxy"] == {
            "host": "2001:db8::1",
            "port": 2222,
            "user": "me",
            "privateKey": "THE BASTION'S KEY",
            "hostKey": "ssh-ed25519 BASTION",
            "dialErrorLimit": 3,
            "perDialTimeout": 15,
        }
    assert built.values["ssh_proxy_jump"] == "me@[2001:db8::1]:2222"
    assert built.values["ssh_proxy_private_key"] == "THE BASTION'S KEY"
    assert built.secret == SECRET


def test_a_machine_that_is_reached_by_its_private_address_has_it_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "check", lambda spec: None)  # a VM on this computer has none
    built = Built(replace(qemu(), private_address_only=True))
    assert (built.values["address"], built.values["docker_url"]) == ("10.0.2.15", "tcp://10.0.2.15:42376")
    request = built.inputs("tls:index/certRequest:CertRequest", "web-1-server")
    assert request["ipAddresses"] == ["127.0.0.1", "::1", "10.0.2.15"]
    for name in ("web-1-install", "web-1-configure"):
        assert plain(built.inputs("command:remote:Command", name)["connection"])["host"] == "10.0.2.15"


def test_user_data_is_read_from_the_file_that_the_spec_names(tmp_path: Path) -> None:
    file = tmp_path / "user-data"
    file.write_text("#cloud-config\n")
    vm = Built(replace(qemu(), user_data=str(file))).inputs("hypervisor:index:VirtualMachine", "web-1-vm")
    assert vm["userData"] == "#cloud-config\n"


def test_scripts_run_in_order_after_the_engine_again_only_for_another_text_or_vm(tmp_path: Path) -> None:
    files = [tmp_path / "a.sh", tmp_path / "b.sh"]
    for file in files:
        file.write_text("echo secret\n")
    built = Built(replace(qemu(), provision_scripts=tuple(map(str, files))))
    for number, name in enumerate(("a.sh", "b.sh"), start=1):
        sent = built.inputs("command:remote:Command", f"web-1-provision-{number}")
        assert f"name={name}\n" in sent["create"]
        assert "echo secret" not in sent["create"]
        assert sent["stdin"] == {rpc._special_sig_key: rpc._special_secret_sig, "value": "echo secret\n"}
        assert sent["triggers"] == ["mctl-web-1", sha256(b"echo secret\n").hexdigest()]
        assert sent["update"] == ":"
    order = [name for kind, name in built.sent if kind == "command:remote:Command"]
    assert order == ["web-1-install", "web-1-configure", "web-1-provision-1", "web-1-provision-2"]


def test_shared_folders_are_mounted_before_scripts_run_and_not_in_a_vm_that_is_off(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("ls /code\n")
    sharing = {"share_folder": ["/src:code"]}
    spec = MachineSpec(
        name="web-1", provider="virtualbox", options=sharing, provision_scripts=(str(tmp_path / "a.sh"),)
    )
    built = Built(spec)
    assert built.inputs("hypervisor:index:VirtualMachine", "web-1-vm")["shares"] == {"code": "/src"}
    order = [name for kind, name in built.sent if kind == "command:remote:Command"]
    assert order == ["web-1-install", "web-1-configure", "web-1-shares", "web-1-provision-1"]
    ignored: dict[str, Any] = {}

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        ignored[args.name] = args.opts.ignore_changes

    Built(replace(spec, running=False), opts=pulumi.ResourceOptions(transformations=[note]))
    assert ignored["web-1-shares"] == ["connection", "create", "triggers"]


def test_a_machine_that_is_switched_off_needs_no_script_and_runs_none(tmp_path: Path) -> None:
    spec = replace(qemu(), running=False, provision_scripts=(str(tmp_path / "lost.sh"),))
    ignored: dict[str, Any] = {}

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        ignored[args.name] = args.opts.ignore_changes

    Built(spec, opts=pulumi.ResourceOptions(transformations=[note]))
    assert ignored["web-1-provision-1"] == ["connection", "create", "stdin", "triggers", "update"]


def test_certificates_are_p256_for_a_year_renewed_a_month_early_and_the_authority_lasts_ten() -> None:
    built = Built(qemu())
    leaf = built.inputs("tls:index/locallySignedCert:LocallySignedCert", "web-1-server")
    assert (leaf["validityPeriodHours"], leaf["earlyRenewalHours"]) == (365 * 24, 30 * 24)
    assert leaf["allowedUses"] == ["digital_signature", "key_encipherment", "server_auth"]
    authority = built.inputs("tls:index/selfSignedCert:SelfSignedCert", "authority-ca")
    assert (authority["validityPeriodHours"], authority["isCaCertificate"]) == (10 * 365 * 24, True)
    for name in ("authority-ca-key", "authority-client-key", "web-1-server-key"):
        key = built.inputs("tls:index/privateKey:PrivateKey", name)
        assert (key["algorithm"], key["ecdsaCurve"]) == ("ECDSA", "P256")


def test_without_a_plan_an_authority_is_made_as_ever() -> None:
    made = {name for kind, name in Built(qemu()).sent if kind.startswith("tls:") and name.startswith("authority")}
    assert made == {"authority-ca-key", "authority-ca", "authority-client-key", "authority-client"}


def test_in_a_roll_clients_trust_both_authorities_and_the_client_is_still_the_old_ones() -> None:
    plan = AuthoritySpec().rolled().step()
    built = Built(qemu(), plan)
    assert built.values["ca_cert"] == "CA\nCA\n"
    subjects = {
        name: built.inputs("tls:index/selfSignedCert:SelfSignedCert", name)["subject"]["commonName"]
        for name in ("authority-ca", "authority-2-ca")
    }
    assert subjects == {"authority-ca": "mctl CA prod", "authority-2-ca": "mctl CA prod 2"}
    assert built.names("tls:index/locallySignedCert:LocallySignedCert") == {"authority-client", "web-1-server"}


def test_an_adopted_engine_is_left_alone_and_reached_with_the_adopted_certificates(tmp_path: Path) -> None:
    facts = {"engine_version": "20.10.24", "certificate_expiry": "2027-01-02T03:04:05Z"}
    built = Built(replace(generic(tmp_path), adopted=facts), AFTER_ADOPTION)
    assert built.names("command:remote:Command") == set()
    assert set(built.values) == OUTPUTS
    assert built.secret == SECRET
    wanted = {"ca_cert": "OLD CA\nCA\n", "client_cert": "OLD CERT", "client_key": "OLD KEY", **facts}
    assert {key: built.values[key] for key in wanted} == wanted


def test_an_adopted_authority_that_is_not_there_is_named() -> None:
    pulumi.runtime.set_mocks(Recorder(), project="mctl", stack="prod", preview=False)
    with pytest.raises(UsageError, match="mctl:adoptedAuthority is not there"):
        Authority("prod", AFTER_ADOPTION)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("192.0.2.7", "tcp://192.0.2.7:2376"),
        ("2001:db8::7", "tcp://[2001:db8::7]:2376"),
        ("a.example", "tcp://a.example:2376"),
    ],
)
def test_an_ipv6_address_is_bracketed_in_the_url(address: str, url: str) -> None:
    assert docker_url(address, 2376) == url


def plain(value: Any) -> dict[str, Any]:
    """Take the mark of a secret off."""
    found: dict[str, Any] = value["value"] if rpc._special_sig_key in value else value
    return found
