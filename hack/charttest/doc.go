// Package charttest holds the tests of what the repository ships beside the
// daemon: the Helm chart, the manifests in k8s/ and the workflows. It renders
// with Helm's own engine and asks Kubernetes' own code whether the result is
// right, so it needs neither a cluster nor a helm binary. It is a module apart,
// so that the daemon's go.mod knows nothing of Kubernetes.
package charttest
