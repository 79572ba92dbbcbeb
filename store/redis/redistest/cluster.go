package redistest

import (
	"fmt"
	"strings"
)

// Cluster is a Redis Cluster.
type Cluster struct {
	// Servers are the nodes: first those that begin as masters, then one
	// replica of each, if there are replicas.
	Servers []*Server
}

// slots is how many hash slots a cluster has.
const slots = 16_384

// StartCluster starts a cluster of some masters, each with a replica if asked
// for, and waits until it is complete. A node is taken for dead after a second.
func StartCluster(c Config, masters int, replicas bool) (_ *Cluster, err error) {
	all := &Cluster{}
	defer func() {
		if err != nil {
			all.Close()
		}
	}()
	args := append([]string{
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "no",
		"--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0",
	}, c.Args...)
	n := masters
	if replicas {
		n *= 2
		args = append([]string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "10"}, args...)
	}
	for range n {
		server, err := start(args, true)
		if err != nil {
			return nil, err
		}
		all.Servers = append(all.Servers, server)
	}
	for i, server := range all.Servers {
		if i < masters {
			do := []string{"CLUSTER", "ADDSLOTS"}
			for slot := i * slots / masters; slot < (i+1)*slots/masters; slot++ {
				do = append(do, fmt.Sprint(slot))
			}
			if _, err := server.Do(do...); err != nil {
				return nil, err
			}
		}
		// Nodes with one epoch would quarrel about it first.
		if _, err := server.Do("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1)); err != nil {
			return nil, err
		}
	}
	for _, server := range all.Servers[1:] {
		if _, err := server.Do("CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(all.Servers[0].port)); err != nil {
			return nil, err
		}
	}
	if err := all.Settled(); err != nil {
		return nil, err
	}
	for i, server := range all.Servers[masters:] {
		id, err := all.Servers[i].Do("CLUSTER", "MYID")
		if err != nil {
			return nil, err
		}
		if _, err := server.Do("CLUSTER", "REPLICATE", fmt.Sprint(id)); err != nil {
			return nil, err
		}
	}
	if !replicas {
		return all, nil
	}
	return all, wait("the replicas to follow", func() bool {
		for _, server := range all.Servers[:masters] {
			info, err := server.Do("INFO", "replication")
			if text, _ := info.(string); err != nil || !strings.Contains(text, "state=online") {
				return false
			}
		}
		return true
	})
}

// Addrs returns the addresses of all nodes.
func (c *Cluster) Addrs() []string {
	var list []string
	for _, server := range c.Servers {
		list = append(list, server.Addr())
	}
	return list
}

// Settled waits until all running nodes say that the cluster is complete and
// know as many nodes as there are.
func (c *Cluster) Settled() error {
	return wait("the cluster to be complete", func() bool {
		for _, server := range c.Servers {
			server.mu.Lock()
			running := server.process != nil
			server.mu.Unlock()
			if !running {
				continue
			}
			info, err := server.Do("CLUSTER", "INFO")
			text, _ := info.(string)
			if err != nil || !strings.Contains(text, "cluster_state:ok") ||
				!strings.Contains(text, fmt.Sprintf("cluster_known_nodes:%d\r\n", len(c.Servers))) {
				return false
			}
		}
		return true
	})
}

// Close ends all nodes.
func (c *Cluster) Close() {
	for _, server := range c.Servers {
		server.Close()
	}
}
