# Show folders of the computer that the VM is on, now and at every start, before Docker starts containers that use them.
script_name="mounting shared folders"
mount_them=/usr/local/lib/mctl/mount-shares
unit=/etc/systemd/system/mctl-shares.service

install_tools() {
  have vmhgfs-fuse && return
  step "installing open-vm-tools, which mounts shared folders"
  have apt-get || die "the VM has no vmhgfs-fuse, which mounts shared folders" "install open-vm-tools: mctl ssh $machine"
  export DEBIAN_FRONTEND=noninteractive
  logged apt-get -qq update || :
  logged apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends fuse3 open-vm-tools ||
    die "open-vm-tools, which mounts shared folders, can't be installed: $(last_reason)" "see that the VM reaches Debian's packages, then run mctl up"
}

write_program() {
  mkdir -p "${mount_them%/*}"
  cat >"$mount_them" <<END_OF_FILE
#!/bin/sh
# By mctl: folders of the computer that this VM is on.
uid=$(id -u "$user") gid=$(id -g "$user") failed=0
for name in $names; do
  mountpoint -q "/\$name" && continue
  mkdir -p "/\$name"
  case $type in
    vboxsf) mount -c -t vboxsf -o "uid=\$uid,gid=\$gid" "\$name" "/\$name" ;;
    hgfs) vmhgfs-fuse ".host:/\$name" "/\$name" -o "allow_other,uid=\$uid,gid=\$gid" ;;
  esac || failed=1
done
exit \$failed
END_OF_FILE
  chmod 0755 "$mount_them"
}

# The minus: a folder that is no longer shared must not keep a VM from starting.
write_unit() {
  cat >"$unit" <<END_OF_FILE
[Unit]
Description=Folders of the computer that this VM is on
Before=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-$mount_them

[Install]
WantedBy=multi-user.target
END_OF_FILE
  logged systemctl daemon-reload && logged systemctl enable mctl-shares.service
}

open_log
case $type in
  vboxsf) modprobe -q vboxsf 2>/dev/null || lacks="; its kernel has no module vboxsf" ;;
  hgfs) install_tools ;;
esac
step "mounting shared folders"
write_program
logged "$mount_them" || die "shared folders can't be mounted in the VM: $(tail -n 1 "$log" | cut -c 1-200)${lacks:-}" "$mend"
write_unit || die "systemd in the VM refused to mount shared folders at each start: $(tail -n 1 "$log")" "see $log: mctl ssh $machine"
