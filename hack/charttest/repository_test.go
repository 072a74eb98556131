package charttest

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheChartCarriesTheCollectorFileOfTheRoot(t *testing.T) {
	compare(t, chartPath+"/files/otel-collector.yaml", text(t, root+"/otel-collector.yaml"))
}

// TestThePlainManifestsAreTheChart keeps k8s/ equal to what the chart renders,
// without the hooks, the labels and the comments that only Helm has a use for.
func TestThePlainManifestsAreTheChart(t *testing.T) {
	for file, values := range map[string]string{"spanway.yaml": "default.yaml", "with-jaeger.yaml": "jaeger.yaml"} {
		manifests, _ := mustRender(t, values)
		plain := "# Generated from charts/spanway by `make k8s`: change the chart instead.\n"
		for _, m := range manifests {
			if strings.Contains(m, "helm.sh/hook") {
				continue
			}
			plain += "---\n" + helmOnly.ReplaceAllString(m, "") + "\n"
		}
		compare(t, root+"/k8s/"+file, plain)
	}
}

var helmOnly = regexp.MustCompile(`(?m)^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n|^# Source: .*\n`)

// TestEveryActionIsPinned: a tag can be moved to other code, a commit cannot.
func TestEveryActionIsPinned(t *testing.T) {
	workflows, err := filepath.Glob(root + "/.github/workflows/*.y*ml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	uses := regexp.MustCompile(`(?m)^\s*(?:- )?uses:\s*(.*)$`)
	pinned := regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, w := range workflows {
		content := text(t, w)
		for _, m := range uses.FindAllStringSubmatch(content, -1) {
			if !pinned.MatchString(m[1]) {
				t.Errorf("%s: %q is not a full commit with its version in a comment", filepath.Base(w), m[1])
			}
		}
		if n := strings.Count(content, "actions/checkout@"); n != strings.Count(content, "persist-credentials: false") {
			t.Errorf("%s: a checkout leaves its credentials behind", filepath.Base(w))
		}
		if !regexp.MustCompile(`(?m)^permissions:\n  contents: read\n`).MatchString(content) {
			t.Errorf("%s: its permissions are not `contents: read`", filepath.Base(w))
		}
	}
}
