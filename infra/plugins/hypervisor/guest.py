"""What our own image does inside the VM, as text: the first boot, the initial RAM disk, the units that stay off.

Pure functions of nothing but their arguments, so that they are tested as text.
"""

from __future__ import annotations

# In this order: each needs those before it. ext4 is built into Debian's cloud kernel.
INITRD_MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk")

# A Docker host on an emulated CPU pays for each of these at every boot and uses none.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "serial-getty@ttyS0.service",
    "serial-getty@ttyAMA0.service",
    "getty@tty1.service",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
    "systemd-rfkill.socket",
    "systemd-journal-flush.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-initctl.socket",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "modprobe@configfs.service",
    "modprobe@drm.service",
    "modprobe@fuse.service",
    "modprobe@efi_pstore.service",
)

FIRST_BOOT = """\
#!/bin/sh
# Take user, key and host key from the seed: what cloud-init would do, without starting Python.
set -eu
seed=/run/mctl-seed
mkdir -p "$seed"
tries=0
until modprobe isofs && mount -t iso9660 -o ro,mode=0400 /dev/vdb "$seed"; do
    tries=$((tries + 1))
    [ "$tries" -lt 20 ]
    sleep 0.5
done
instance=$(cat "$seed/mctl_instance")
done=/var/lib/mctl/instance
if [ "$(cat $done 2>/dev/null || true)" != "$instance" ]; then
    user=$(cat "$seed/mctl_user")
    home=/root
    if [ "$user" != root ]; then
        home=/home/$user
        id -u "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --password '*' "$user"
        echo "$user ALL=(ALL) NOPASSWD:ALL" >/etc/sudoers.d/90-mctl
        chmod 0440 /etc/sudoers.d/90-mctl
    fi
    install -d -m 0700 -o "$user" "$home/.ssh"
    install -m 0600 -o "$user" "$seed/mctl_authorized_keys" "$home/.ssh/authorized_keys"
    rm -f /etc/ssh/ssh_host_*
    install -m 0600 "$seed/mctl_host_key" /etc/ssh/ssh_host_ed25519_key
    install -m 0644 "$seed/mctl_host_key_pub" /etc/ssh/ssh_host_ed25519_key.pub
    cat "$seed/mctl_hostname" >/etc/hostname
    hostname -F /etc/hostname
    printf '127.0.0.1 localhost\\n127.0.1.1 %s\\n::1 localhost\\n' "$(cat /etc/hostname)" >/etc/hosts
    cat "$seed/mctl_resolv" >/etc/resolv.conf
    mkdir -p /var/lib/mctl
    echo "$instance" >$done
fi
umount "$seed"
"""

FIRST_BOOT_UNIT = """\
[Unit]
Description=User, key and host key from the seed
DefaultDependencies=no
After=systemd-remount-fs.service
Before=ssh.service cloud-init-local.service
ConditionPathExists=/dev/vdb

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/mctl/first-boot
StandardError=journal+console

[Install]
WantedBy=sysinit.target
"""

GROW_UNIT = """\
[Unit]
Description=File system as large as the disk

[Service]
Type=oneshot
ExecStart=/lib/systemd/systemd-growfs /

[Install]
WantedBy=multi-user.target
"""

# The VM's own card alone: by type, networkd would take hold of each container's veth while dockerd sets it up.
NETWORK = """\
[Match]
Name=en* eth*

[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
"""

SSH_ORDER = """\
[Unit]
Requires=mctl-first-boot.service
After=mctl-first-boot.service
"""

SSHD = """\
# A login must not wait for a name server.
UseDNS no
PasswordAuthentication no
"""


def initrd_init() -> str:
    """Write the /init of the initial RAM disk: load the disk's drivers, mount it, go on."""
    modules = " ".join(INITRD_MODULES)
    return f"""\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
for module in {modules}; do $b insmod "/modules/$module.ko"; done
tries=0
until [ -b /dev/vda ] || [ $tries -ge 100 ]; do $b sleep 0.1; tries=$((tries + 1)); done
$b mount -t ext4 -o noatime /dev/vda /mnt
$b mount --move /dev /mnt/dev
exec $b switch_root /mnt /sbin/init
"""


def customize(kernel: str, download: tuple[str, ...]) -> str:
    """Write the script that mmdebstrap runs on the new root file system ($1), before it is packed.

    kernel: the architecture in its package's name; it is started from beside the disk, so it stays at this version.
    download: packages whose files are kept in apt's cache, so that installing them fetches nothing.
    """
    masked = " ".join(MASKED)
    return f"""\
set -eu
root=$1
{_file("/usr/lib/mctl/first-boot", FIRST_BOOT, "0755")}
{_file("/etc/systemd/system/mctl-first-boot.service", FIRST_BOOT_UNIT)}
{_file("/etc/systemd/system/mctl-grow.service", GROW_UNIT)}
{_file("/etc/systemd/system/ssh.service.d/mctl.conf", SSH_ORDER)}
{_file("/etc/systemd/network/80-mctl.network", NETWORK)}
{_file("/etc/ssh/sshd_config.d/mctl.conf", SSHD)}
{_file("/etc/fstab", "/dev/vda / ext4 noatime 0 1" + chr(10))}
{_file("/etc/initramfs-tools/update-initramfs.conf", "update_initramfs=no" + chr(10))}
chroot "$root" systemctl --quiet enable mctl-first-boot.service mctl-grow.service systemd-networkd.service ssh.service
chroot "$root" systemctl --quiet mask {masked}
chroot "$root" apt-mark -qq hold linux-image-cloud-{kernel}
chroot "$root" apt-get -qq clean
chroot "$root" apt-get -qq install --no-install-recommends --download-only {" ".join(download)}
chroot "$root" apt-cache policy >/dev/null
ram="$root/usr/lib/mctl/ram"
mkdir -p "$ram/bin" "$ram/modules" "$ram/mnt" "$ram/dev"
cp "$root/bin/busybox" "$ram/bin/busybox"
for module in {" ".join(INITRD_MODULES)}; do
    find "$root/lib/modules" -name "$module.ko" -exec cp {{}} "$ram/modules/" ';'
done
{_file("/usr/lib/mctl/ram/init", initrd_init(), "0755")}
chroot "$root" sh -c 'cd /usr/lib/mctl/ram && find . | busybox cpio -o -H newc | gzip -1 >/boot/initrd'
rm -rf "$ram" "$root"/boot/initrd.img* "$root"/boot/System.map*
mv "$root"/boot/vmlinuz-* "$root/boot/vmlinuz"
rm -f "$root"/etc/ssh/ssh_host_* "$root"/initrd.img* "$root"/vmlinuz*
: >"$root/etc/machine-id"
"""


def _file(path: str, text: str, mode: str = "0644") -> str:
    return f"""\
mkdir -p "$root{path.rpartition("/")[0]}"
cat >"$root{path}" <<'END_OF_FILE'
{text}END_OF_FILE
chmod {mode} "$root{path}\""""
