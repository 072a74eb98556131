package charttest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	corev1 "k8s.io/api/core/v1"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

const podMonitor = "monitoring.coreos.com/v1/PodMonitor"

// valuesFiles are the names of the files in the chart's ci folder.
func valuesFiles(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(chartPath + "/ci/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no values files: %v", err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

func TestTheChartLintsWithEveryValuesFile(t *testing.T) {
	for _, name := range valuesFiles(t) {
		_, v := load(t, name)
		for _, m := range lint.All(chartPath, v, "default", true).Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

func TestTwoRendersAreTheSameBytes(t *testing.T) {
	for _, name := range valuesFiles(t) {
		first, _ := mustRender(t, name)
		second, _ := mustRender(t, name)
		if !slices.Equal(first, second) {
			t.Errorf("%s renders differently the second time", name)
		}
	}
}

func TestEveryObjectHasOnlyFieldsThatItsKindHas(t *testing.T) {
	for _, name := range valuesFiles(t) {
		manifests, _ := mustRender(t, name)
		if len(manifests) == 0 {
			t.Errorf("%s renders nothing", name)
		}
		for _, m := range manifests {
			decode(t, m)
		}
	}
}

func TestEveryPodIsRestricted(t *testing.T) {
	checks, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	everyPod(t, func(t *testing.T, pod *corev1.PodTemplateSpec, _ bool) {
		if r := policy.AggregateCheckResults(checks.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec)); !r.Allowed {
			t.Error(r.ForbiddenDetail())
		}
		if a := pod.Spec.AutomountServiceAccountToken; a == nil || *a {
			t.Error("a service account token is mounted")
		}
		for _, c := range containers(pod) {
			if r := c.SecurityContext.ReadOnlyRootFilesystem; r == nil || !*r {
				t.Errorf("%s can write to its root", c.Name)
			}
		}
	})
}

func TestEveryContainerHasRequestsLimitsAndProbes(t *testing.T) {
	everyPod(t, func(t *testing.T, pod *corev1.PodTemplateSpec, stays bool) {
		for _, c := range containers(pod) {
			for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				if request := c.Resources.Requests[resource]; request.IsZero() {
					t.Errorf("%s requests no %s", c.Name, resource)
				}
			}
			if c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s has no memory limit", c.Name)
			}
			if stays && (c.StartupProbe == nil || c.LivenessProbe == nil || c.ReadinessProbe == nil) {
				t.Errorf("%s lacks a probe", c.Name)
			}
			for _, e := range c.Env {
				if e.Name == "GOMEMLIMIT" && e.Value != fmt.Sprint(c.Resources.Limits.Memory().Value()*8/10) {
					t.Errorf("%s: GOMEMLIMIT is %s under a limit of %s", c.Name, e.Value, c.Resources.Limits.Memory())
				}
			}
		}
	})
}

func TestEveryServiceReachesAPort(t *testing.T) {
	for _, name := range valuesFiles(t) {
		manifests, _ := mustRender(t, name)
		var made []*corev1.PodTemplateSpec
		var services []*corev1.Service
		for _, m := range manifests {
			object := decode(t, m)
			if pod, stays := pods(object); stays {
				made = append(made, pod)
			}
			if s, ok := object.(*corev1.Service); ok {
				services = append(services, s)
			}
		}
		for _, s := range services {
			for _, p := range s.Spec.Ports {
				if p.AppProtocol == nil || !strings.HasPrefix(p.Name, *p.AppProtocol) {
					t.Errorf("%s: port %s of %s does not say how it speaks", name, p.Name, s.Name)
				}
				if !slices.ContainsFunc(made, func(pod *corev1.PodTemplateSpec) bool { return serves(pod, s.Spec.Selector, p.TargetPort.StrVal) }) {
					t.Errorf("%s: port %s of %s leads nowhere", name, p.Name, s.Name)
				}
			}
		}
	}
}

func TestAPodMonitorIsMadeOnlyWhereItsKindIsKnown(t *testing.T) {
	with, _ := mustRender(t, "byo-collector.yaml", podMonitor)
	without, notes := mustRender(t, "byo-collector.yaml")
	if !strings.Contains(strings.Join(with, "\n"), "kind: PodMonitor") {
		t.Error("none is made on a cluster that knows it")
	}
	if strings.Contains(strings.Join(without, "\n"), "kind: PodMonitor") || !strings.Contains(notes, "none was made") {
		t.Errorf("one is made on a cluster that does not know it, or nobody is told: %s", notes)
	}
}

func TestValuesThatCannotWorkAreRefused(t *testing.T) {
	for _, c := range []struct{ values, want string }{
		{`nope: 1`, `additional properties 'nope' not allowed`},
		{`config: {upstreams: {x: {keys: [sk-123]}}}`, `/config/upstreams/x/keys/0`},
		{`config: {admission: {auth: off}}`, `/config/admission/auth`},
		{`config: {upstreams: {x: {url: "mock:"}}}`, "ERROR: config names no `keys:`"},
		{`{config: {keys: []}, existingConfigMap: x}`, `ERROR: config and existingConfigMap are both set`},
		{`resources: {limits: {memory: 1.5Gi}}`, `ERROR: the memory limit "1.5Gi"`},
		{`image: {digest: latest}`, `/image/digest`},
		{`telemetry: {endpoint: "collector:4317"}`, `/telemetry/endpoint`},
	} {
		v, err := chartutil.ReadValues([]byte(c.values))
		if err != nil {
			t.Fatal(err)
		}
		helm, _ := load(t, "")
		if _, _, err := render(helm, v); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.values, err, c.want)
		}
	}
}

// TestAParentChartCanUseIt is the umbrella with which strict schemas break: it
// sets global values, a condition, and takes the sidecar's template.
func TestAParentChartCanUseIt(t *testing.T) {
	sub, v := load(t, "sidecar.yaml")
	v["enabled"] = true
	parent := &chart.Chart{
		Metadata: &chart.Metadata{APIVersion: "v2", Name: "app", Version: "1.0.0", Dependencies: []*chart.Dependency{
			{Name: "spanway", Version: sub.Metadata.Version, Condition: "spanway.enabled"}}},
		Templates: []*chart.File{{Name: "templates/app.yaml", Data: []byte(`
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  initContainers: {{- include "spanway.sidecar" .Subcharts.spanway | nindent 4 }}
  containers: [{name: app, image: app}]
  volumes: {{- include "spanway.volumes" .Subcharts.spanway | nindent 4 }}
`)}},
	}
	parent.AddDependency(sub)
	manifests, _, err := render(parent, chartutil.Values{"global": map[string]any{"region": "x"}, "spanway": v.AsMap()})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(manifests, func(m string) bool { return strings.Contains(m, "kind: Pod\n") })
	if i < 0 {
		t.Fatalf("no pod in %s", manifests)
	}
	sidecar := decode(t, manifests[i]).(*corev1.Pod).Spec.InitContainers[0]
	if r := sidecar.RestartPolicy; r == nil || *r != corev1.ContainerRestartPolicyAlways {
		t.Error("it would be waited for: it is no native sidecar")
	}
	if slices.ContainsFunc(sidecar.Args, func(a string) bool { return strings.HasPrefix(a, "--data") }) {
		t.Error("it takes calls beyond loopback")
	}
	if sidecar.StartupProbe == nil || sidecar.StartupProbe.PeriodSeconds != 1 {
		t.Error("the pod's containers wait longer for it than a second after it has started")
	}
}

func TestTheReadmeNamesEveryValue(t *testing.T) {
	var values map[string]any
	read(t, chartPath+"/values.yaml", &values)
	readme := text(t, chartPath+"/README.md")
	for name := range values {
		if !regexp.MustCompile("(?m)^\\| `" + name + "[`.]").MatchString(readme) {
			t.Errorf("the table in README.md has no line for %s", name)
		}
	}
}

// everyPod calls check with every pod that the chart makes.
func everyPod(t *testing.T, check func(*testing.T, *corev1.PodTemplateSpec, bool)) {
	for _, name := range valuesFiles(t) {
		manifests, _ := mustRender(t, name)
		for _, m := range manifests {
			if pod, stays := pods(decode(t, m)); pod != nil {
				t.Run(name+"/"+containers(pod)[0].Name, func(t *testing.T) { check(t, pod, stays) })
			}
		}
	}
}

func containers(pod *corev1.PodTemplateSpec) []corev1.Container {
	return append(slices.Clone(pod.Spec.InitContainers), pod.Spec.Containers...)
}

// serves says whether a pod is selected and has the port.
func serves(pod *corev1.PodTemplateSpec, selector map[string]string, port string) bool {
	for k, v := range selector {
		if pod.Labels[k] != v {
			return false
		}
	}
	return slices.ContainsFunc(pod.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool { return p.Name == port })
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func read(t *testing.T, path string, v any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text(t, path)), v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
