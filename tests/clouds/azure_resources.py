"""The plugin of the stand-in Azure."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pulumi_azure_native as azure

from infra.plugins.server import Operation, PluginError
from infra.plugins.wire import Properties
from tests.clouds import instances
from tests.clouds.standin import StandIn, plugin
from tests.clouds.world import Facts, World

SUBSCRIPTION = "5ab5c416-0000-4000-8000-00000000a2e5"
SIZES = {"Standard_B2ls_v2": 2, "Standard_D4s_v5": 4, "Standard_D2ps_v5": 2}
ARM = "Standard_D2ps_v5"
LOCATIONS = ("westus2", "westeurope")
IMAGES = {("Canonical", "ubuntu-24_04-lts", "server"), ("Canonical", "ubuntu-24_04-lts", "server-arm64")}
CORES = 10
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
KINDS = {
    "Microsoft.Compute/virtualMachines": "virtualMachines",
    "Microsoft.Network/networkInterfaces": "networkInterfaces",
    "Microsoft.Network/publicIPAddresses": "publicIPAddresses",
    "Microsoft.Network/networkSecurityGroups": "networkSecurityGroups",
    "Microsoft.Network/virtualNetworks": "virtualNetworks",
}


class Named(StandIn):
    """What has a name, which the plugin chooses where none is given, and lies in a group. naming: its input."""

    naming: str
    provider = "Microsoft.Network"
    replaces = frozenset({"resourceGroupName", "location"})

    def default(self, op: Operation, news: Facts) -> Facts:
        del news
        return {self.naming: op.old_inputs.get(self.naming) or f"{op.name}{uuid4().hex[:8]}"}

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if not re.fullmatch(r"\w[\w.-]{0,78}\w", news[self.naming]):
            yield f"400 InvalidResourceName: {news[self.naming]}"
        if news.get("location") not in LOCATIONS:
            yield f"400 LocationNotAvailableForResourceType: {news.get('location')}"
        group = f"{GROUP}/{news['resourceGroupName']}"
        if self.kind != "resourceGroups" and not world.get("resourceGroups", group):
            yield f"404 ResourceGroupNotFound: {news['resourceGroupName']}"
        if "id" not in news and world.get(self.kind, self.place(news)):
            yield "409 cannot create already existing resource"

    def place(self, news: Facts) -> str:
        return f"{GROUP}/{news['resourceGroupName']}/providers/{self.provider}/{self.kind}/{news[self.naming]}"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        return self.place(news), {"name": news[self.naming], **self.computes(world, news)}

    def computes(self, world: World, news: Facts) -> Facts:
        del world, news
        return {}


class ResourceGroup(Named):
    sdk, kind, naming = azure.resources.ResourceGroup, "resourceGroups", "resourceGroupName"
    computed = frozenset({"name"})

    def place(self, news: Facts) -> str:
        return f"{GROUP}/{news[self.naming]}"

    def unmake(self, world: World, facts: Facts) -> None:
        for kind in (*KINDS.values(), "subnets"):
            for each in world.every(kind):
                if each["id"].startswith(f"{facts['id']}/"):
                    if kind == "virtualMachines":
                        instances.remove(world, each["id"])
                    world.drop(kind, each["id"])


class VirtualNetwork(Named):
    sdk, kind, naming = azure.network.VirtualNetwork, "virtualNetworks", "virtualNetworkName"
    required = frozenset({"addressSpace"})
    computed = frozenset({"name"})


class Subnet(Named):
    sdk, kind, naming = azure.network.Subnet, "subnets", "subnetName"
    required = frozenset({"addressPrefix"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if not any(each["name"] == news["virtualNetworkName"] for each in world.every("virtualNetworks")):
            yield f"404 ParentResourceNotFound: {news['virtualNetworkName']}"

    def place(self, news: Facts) -> str:
        network = f"virtualNetworks/{news['virtualNetworkName']}"
        return f"{GROUP}/{news['resourceGroupName']}/providers/{self.provider}/{network}/subnets/{news[self.naming]}"


class NetworkSecurityGroup(Named):
    sdk, kind, naming = azure.network.NetworkSecurityGroup, "networkSecurityGroups", "networkSecurityGroupName"
    computed = frozenset({"name"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        yield from super().refuse(world, news)
        rules = news.get("securityRules", ())
        if len({rule["priority"] for rule in rules}) < len(rules) or len({rule["name"] for rule in rules}) < len(rules):
            yield "400 SecurityRuleConflict: rules of one direction have a name or priority of their own"
        for rule in rules:
            one, many = rule.get("sourceAddressPrefix"), rule.get("sourceAddressPrefixes") or []
            if bool(one) == bool(many):
                yield f"400 SecurityRuleInvalidAddressPrefix: {rule['name']} has none, or two"
            if len({":" in source for source in many}) > 1:
                yield f"400 SecurityRuleAddressPrefixesFamilyMismatch: {rule['name']}"
            if not 100 <= rule["priority"] <= 4096:
                yield f"400 SecurityRuleInvalidPriority: {rule['priority']}"
            if rule["protocol"] not in ("Tcp", "Udp", "Icmp", "Esp", "Ah", "*"):
                yield f"400 SecurityRuleInvalidProtocol: {rule['protocol']}"
            if not rule.get("sourcePortRange") or not rule.get("destinationPortRange"):
                yield f"400 SecurityRuleInvalidPortRange: {rule['name']}"


class PublicIPAddress(Named):
    sdk, kind, naming = azure.network.PublicIPAddress, "publicIPAddresses", "publicIpAddressName"
    computed = frozenset({"name", "ipAddress"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        yield from super().refuse(world, news)
        if news.get("sku", {}).get("name") != "Standard" or news.get("publicIPAllocationMethod") != "Static":
            yield "400 IPv4BasicSkuPublicIpCountLimitReached: Basic addresses are retired, and Standard ones are static"

    def computes(self, world: World, news: Facts) -> Facts:
        return {"ipAddress": instances.new_address(world)}


class NetworkInterface(Named):
    sdk, kind, naming = azure.network.NetworkInterface, "networkInterfaces", "networkInterfaceName"
    required = frozenset({"ipConfigurations"})
    computed = frozenset({"name", "ipConfigurations"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        yield from super().refuse(world, news)
        (configuration,) = news["ipConfigurations"]
        wanted = [("subnets", configuration["subnet"]), ("networkSecurityGroups", news.get("networkSecurityGroup"))]
        for kind, reference in (*wanted, ("publicIPAddresses", configuration.get("publicIPAddress"))):
            if reference and not world.get(kind, reference["id"]):
                yield f"404 InvalidResourceReference: {reference['id']}"

    def computes(self, world: World, news: Facts) -> Facts:
        address = world.get("publicIPAddresses", news["ipConfigurations"][0]["publicIPAddress"]["id"]) or {}
        return {"private": address["ipAddress"]}

    def _outputs(self, inputs: Properties, more: Any) -> Properties:
        outputs = super()._outputs(inputs, more)
        (configuration,) = outputs["ipConfigurations"]
        return {**outputs, "ipConfigurations": [{**configuration, "privateIPAddress": more["private"]}]}

    def unmake(self, world: World, facts: Facts) -> None:
        if any(_card(machine) == facts["id"] for machine in world.every("virtualMachines")):
            raise PluginError("400 NicInUse: Network Interface is used by existing resource")


class VirtualMachine(Named):
    sdk, kind, naming = azure.compute.VirtualMachine, "virtualMachines", "vmName"
    provider = "Microsoft.Compute"
    required = frozenset({"hardwareProfile", "osProfile", "storageProfile", "networkProfile"})
    replaces = frozenset({"resourceGroupName", "location", "osProfile", "zones"})
    computed = frozenset({"name", "vmId"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        yield from super().refuse(world, news)
        size = news["hardwareProfile"]["vmSize"]
        if size not in SIZES:
            yield f"400 InvalidParameter: The value {size} provided for the VM size is not valid"
        image = news["storageProfile"]["imageReference"]
        if (image["publisher"], image["offer"], image["sku"]) not in IMAGES or image["version"] != "latest":
            yield "404 PlatformImageNotFound: The platform image is not available"
        elif (size == ARM) != image["sku"].endswith("arm64"):
            yield "400 BadRequest: The size's CPU architecture is not the image's"
        yield from self._system(news["osProfile"])
        others = [each for each in world.every(self.kind) if each["id"] != news.get("id")]
        if not world.get("networkInterfaces", _card(news)):
            yield "404 InvalidResourceReference: network interface"
        if _card(news) in [_card(each) for each in others]:
            yield "400 NicInUse: Network Interface is used by existing resource"
        if "id" not in news and set(news.get("zones", ())) & set(world.fault("full") or ()):
            yield "409 ZonalAllocationFailed: We do not have sufficient capacity for the requested VM size in this zone"
        cores = sum(SIZES[each["hardwareProfile"]["vmSize"]] for each in others) + SIZES.get(size, 0)
        if cores > (world.fault("limit") or CORES):
            yield "409 QuotaExceeded: Operation could not be completed as it results in exceeding approved cores"

    def _system(self, profile: Facts) -> Iterator[str]:
        if profile["adminUsername"] in {"root", "admin", "administrator"}:
            yield "400 InvalidParameter: The Admin Username specified is not allowed."
        linux = profile["linuxConfiguration"]
        (key,) = linux["ssh"]["publicKeys"]
        if (
            key["path"] != f"/home/{profile['adminUsername']}/.ssh/authorized_keys"
            or not linux["disablePasswordAuthentication"]
        ):
            yield "400 InvalidParameter: The destination path for SSH public keys is limited to its default value"
        if not re.match(r"ssh-(ed25519|rsa) \S+", key["keyData"]):
            yield "400 InvalidParameter: The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid."

    def computes(self, world: World, news: Facts) -> Facts:
        profile = news["osProfile"]
        instances.start(
            world,
            self.place(news),
            hostname=profile["computerName"],
            user_data=b64decode(profile["customData"]).decode(),
            public_keys=[key["keyData"] for key in profile["linuxConfiguration"]["ssh"]["publicKeys"]],
            address=address_of(world, news),
        )
        return {"vmId": str(uuid4())}

    def unmake(self, world: World, facts: Facts) -> None:
        instances.remove(world, facts["id"])


def _card(machine: Facts) -> str:
    return str(machine["networkProfile"]["networkInterfaces"][0]["id"])


def address_of(world: World, machine: Facts) -> str:
    card = world.get("networkInterfaces", _card(machine))
    assert card, "a VM's card is there"
    return str(card["private"])


PLUGIN = plugin(
    ResourceGroup(),
    VirtualNetwork(),
    Subnet(),
    NetworkSecurityGroup(),
    PublicIPAddress(),
    NetworkInterface(),
    VirtualMachine(),
)
