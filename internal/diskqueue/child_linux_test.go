package diskqueue

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// childEnv names the function that a child runs. A child is a process of the test's own binary.
const childEnv = "RTBEAT_TEST_CHILD"

var children = map[string]func(args []string){"opener": opener, "writer": writer}

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childEnv)]; child != nil {
		child(os.Args[1:])
		return
	}
	goleak.VerifyTestMain(m)
}

// childCommand returns the command of a child. behind is a program and its arguments that run the child.
func childCommand(t testing.TB, name string, behind []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	line := append(append(behind, self), args...)
	cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func TestOneQueueADirectory(t *testing.T) {
	t.Parallel()
	s := settingsIn(t.TempDir())
	q := open(t, s)
	_, err := Open(s)
	require.ErrorIs(t, err, ErrLocked)
	out, err := childCommand(t, "opener", nil, s.Path).Output()
	require.NoError(t, err)
	require.Equal(t, "locked", string(out))
	require.NoError(t, q.Close())
	out, err = childCommand(t, "opener", nil, s.Path).Output()
	require.NoError(t, err)
	require.Equal(t, "opened", string(out))
}

// opener prints whether it can open a queue.
func opener(args []string) {
	q, err := Open(settingsIn(args[0]))
	if errors.Is(err, ErrLocked) {
		fmt.Print("locked") //nolint:forbidigo // the output of a child
		return
	}
	check(err)
	check(q.Close())
	fmt.Print("opened") //nolint:forbidigo // the output of a child
}
