//! Where products are relinearised: decided once, for a whole graph.

use cryptodl_fold::{
    Graph, Node, Operation,
    graph::{ValueId, Weight},
};

/// How many polynomials a ciphertext of each value has, by value: two, or three where relinearisation is put off.
///
/// Products have three. Ciphertexts of three are added and multiplied by plaintexts like any other, so where a linear layer
/// is all that reads a product, its (fewer) outputs are relinearised instead, and where a sum is, the sum. Before a second
/// product, and where there are several readers, it is done at once.
pub(super) fn parts<T: Weight>(graph: &Graph<T>) -> Vec<usize> {
    let mut reads = graph.readers();
    for node in &graph.nodes {
        if !matches!(node.operation, Operation::Linear(_) | Operation::Add(_)) {
            // such a reader wants two polynomials, as several readers do
            node.operands
                .iter()
                .for_each(|operand| reads[operand.0] += 1);
        }
    }
    let mut parts = vec![2];
    for (index, node) in graph.nodes.iter().enumerate() {
        let puts_off = reads[ValueId::of_node(index).0] == 1
            && !matches!(node.operation, Operation::Linear(_));
        parts.push(if puts_off {
            parts_made(node, &parts)
        } else {
            2
        });
    }
    parts
}

/// Polynomials of what a node makes of operands that have `parts`, before it is relinearised.
pub(super) fn parts_made<T: Weight>(node: &Node<T>, parts: &[usize]) -> usize {
    match &node.operation {
        Operation::Product(_) | Operation::Power(_) => 3,
        _ => {
            let operands = node.operands.iter().map(|operand| parts[operand.0]);
            operands.max().unwrap_or(2)
        }
    }
}
