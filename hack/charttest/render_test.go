package charttest

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
)

const (
	root      = "../.."
	chartPath = root + "/charts/spanway"
)

var update = flag.Bool("update", false, "write k8s/ and the chart's copy of otel-collector.yaml instead of comparing them")

// load reads the chart, and values from a file in its ci folder.
func load(t *testing.T, values string) (*chart.Chart, chartutil.Values) {
	t.Helper()
	c, err := loader.Load(chartPath)
	if err != nil {
		t.Fatal(err)
	}
	if values == "" {
		return c, chartutil.Values{}
	}
	v, err := chartutil.ReadValuesFile(filepath.Join(chartPath, "ci", values))
	if err != nil {
		t.Fatal(err)
	}
	return c, v
}

// render is `helm template spanway`, on a cluster that also knows the given
// APIs. The manifests come in the order of installation, NOTES.txt apart.
func render(c *chart.Chart, v chartutil.Values, apis ...string) (manifests []string, notes string, err error) {
	// What a parent chart's condition switches off is gone after this.
	if err := chartutil.ProcessDependencies(c, v); err != nil {
		return nil, "", err
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.APIVersions = append(slices.Clone(capabilities.APIVersions), apis...)
	options := chartutil.ReleaseOptions{Name: "spanway", Namespace: "default", Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValues(c, v, options, capabilities)
	if err != nil {
		return nil, "", err
	}
	files, err := engine.Render(c, values)
	if err != nil {
		return nil, "", err
	}
	for name, text := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			notes += text
			delete(files, name)
		}
	}
	hooks, sorted, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, "", err
	}
	for _, m := range sorted {
		manifests = append(manifests, m.Content)
	}
	for _, h := range hooks {
		manifests = append(manifests, h.Manifest)
	}
	return manifests, notes, nil
}

// mustRender renders the chart with a values file of its ci folder.
func mustRender(t *testing.T, values string, apis ...string) (manifests []string, notes string) {
	t.Helper()
	c, v := load(t, values)
	manifests, notes, err := render(c, v, apis...)
	if err != nil {
		t.Fatal(err)
	}
	return manifests, notes
}

var strict = json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme,
	json.SerializerOptions{Yaml: true, Strict: true})

// decode reads a manifest as the API server would with strict field validation:
// a field that its kind does not have is an error.
func decode(t *testing.T, manifest string) runtime.Object {
	t.Helper()
	object, _, err := strict.Decode([]byte(manifest), nil, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, manifest)
	}
	return object
}

// pods are the pods that a manifest makes, and whether they are to stay.
func pods(object runtime.Object) (pod *corev1.PodTemplateSpec, stays bool) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template, true
	case *corev1.Pod:
		return &corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}, false
	}
	return nil, false
}

// compare holds a file of the repository against the text it must have.
func compare(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale: run `make k8s`", strings.TrimPrefix(path, root+"/"))
	}
}
