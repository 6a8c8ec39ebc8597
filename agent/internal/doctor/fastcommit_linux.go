package doctor

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// fastCommit tells whether synced bytes may be lost on the file system of dir. What cannot be
// found out counts as no.
func fastCommit(dir string) bool {
	var name unix.Utsname
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Uname(&name) != nil || !brokenFastCommit(unix.ByteSliceToString(name.Release[:])) ||
		unix.Statfs(dir, &fs) != nil || fs.Type != unix.EXT4_SUPER_MAGIC || unix.Stat(dir, &st) != nil {
		return false
	}
	device, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
	if err != nil {
		return false
	}
	info, err := os.ReadFile(filepath.Join("/proc/fs/ext4", filepath.Base(device), "fc_info"))
	return err == nil && fastCommits(info)
}
