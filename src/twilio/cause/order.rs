//! The orders in which a query's parameters may have been signed.

/// Of so many parameters every order is tried: 120.
const PERMUTED_MAX: usize = 5;

/// Of so many, each parameter at each other place: 132. Of more, none.
const MOVED_MAX: usize = 12;

/// Every other order, as far as that is tried.
pub fn orders<'a>(parameters: &[&'a str]) -> impl Iterator<Item = Vec<&'a str>> {
    let orders = match parameters.len() {
        0 | 1 => Vec::new(),
        2..=PERMUTED_MAX => permutations(parameters),
        _ if parameters.len() <= MOVED_MAX => moved(parameters),
        _ => Vec::new(),
    };
    let arrived = parameters.to_vec();
    orders.into_iter().filter(move |order| *order != arrived)
}

fn permutations<'a>(parameters: &[&'a str]) -> Vec<Vec<&'a str>> {
    if parameters.len() <= 1 {
        return vec![parameters.to_vec()];
    }
    let mut orders = Vec::new();
    for at in 0..parameters.len() {
        let rest = [&parameters[..at], &parameters[at + 1..]].concat();
        for order in permutations(&rest) {
            orders.push([&[parameters[at]], &order[..]].concat());
        }
    }
    orders
}

fn moved<'a>(parameters: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut reversed = parameters.to_vec();
    reversed.reverse();
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    let mut orders = vec![reversed, sorted];
    for from in 0..parameters.len() {
        for to in 0..parameters.len() {
            let mut order = parameters.to_vec();
            let parameter = order.remove(from);
            order.insert(to, parameter);
            orders.push(order);
        }
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::orders;

    #[test]
    fn of_five_every_other_order_is_there_once() {
        let mut all: Vec<_> = orders(&["a", "b", "c", "d", "e"]).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 119);
    }

    #[test]
    fn of_more_each_parameter_is_moved_and_of_very_many_none() {
        let six = ["a", "b", "c", "d", "e", "f"];
        assert!(orders(&six).any(|order| order == ["b", "c", "d", "a", "e", "f"]));
        assert!(orders(&six).count() <= 38);
        assert_eq!(orders(&["a"; 13]).count(), 0);
        assert_eq!(orders(&["a"]).count(), 0);
    }
}
