//! Shows the fruit, keeps the cart in the session, and takes orders.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use signed_session::django::Level;
use signed_session::{FlashMessages, LoggedIn, SessionHandle};

use crate::oops::Oops;
use crate::page::Visitor;
use crate::site::{Shared, Site};

/// The entry of the session that holds the cart, for visitors with and without a login.
pub const CART: &str = "cart";

/// How many of one fruit fit: so the cart always fits the cookie.
const MOST: u32 = 99;

/// What is sold.
struct Fruit {
    id: &'static str,
    name: &'static str,
    cents: u32,
}

const FRUITS: [Fruit; 4] = [
    Fruit { id: "apples", name: "Apples, 1 kg", cents: 320 },
    Fruit { id: "pears", name: "Pears, 1 kg", cents: 390 },
    Fruit { id: "quinces", name: "Quinces, 2 kg", cents: 1150 },
    Fruit { id: "figs", name: "Figs, a dozen", cents: 640 },
];

/// How many of each fruit, by its id.
#[derive(Default, Serialize, Deserialize)]
pub struct Cart(BTreeMap<String, u32>);

impl Cart {
    /// Returns the cart of a session. An entry of another shape was left by an older release.
    pub fn of(session: &SessionHandle) -> Self {
        session.get_or_discard(CART).unwrap_or_default()
    }

    pub fn count(&self) -> u32 {
        self.fruits().map(|(_, count)| count).sum()
    }

    fn cents(&self) -> u32 {
        self.fruits().map(|(fruit, count)| fruit.cents * count).sum()
    }

    /// Returns what is in the cart and still sold.
    fn fruits(&self) -> impl Iterator<Item = (&Fruit, u32)> {
        FRUITS.iter().filter_map(|fruit| Some((fruit, MOST.min(*self.0.get(fruit.id)?))))
    }

    fn add(&mut self, fruit: &Fruit) {
        let count = self.0.entry(fruit.id.to_owned()).or_default();
        *count = MOST.min(count.saturating_add(1));
    }
}

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(shop))
        .route("/cart/add", post(add))
        .route("/cart/remove", post(remove))
        .route("/checkout", get(checkout).post(order))
}

async fn shop(visitor: Visitor) -> Result<Markup, Oops> {
    let cart = Cart::of(&visitor.session);
    visitor.page(
        "The fruit shop",
        html! {
            div.columns {
                div { (shelf(&visitor)) }
                div {
                    section #cart aria-labelledby="cart-title" {
                        h2 #cart-title { "Your cart" }
                        (table(&cart, Some(&visitor)))
                        @if cart.count() > 0 {
                            p { a.button.main href="/checkout" { "Check out" } }
                        }
                    }
                }
            }
        },
    )
}

fn shelf(visitor: &Visitor) -> Markup {
    html! {
        section aria-labelledby="fruit-title" {
            h2 #fruit-title { "Fruit" }
            table.goods {
                thead.unseen { tr { th scope="col" { "Fruit" } th { "Price" } th { "Action" } } }
                tbody {
                    @for fruit in &FRUITS {
                        tr {
                            th scope="row" { (fruit.name) }
                            td { (euros(fruit.cents)) }
                            td { (visitor.form("/cart/add", html! {
                                button.small name="fruit" value=(fruit.id)
                                    aria-label={ "Add to the cart: " (fruit.name) } { "Add" }
                            })) }
                        }
                    }
                }
            }
        }
    }
}

/// Shows a cart, from which the visitor can remove things.
fn table(cart: &Cart, visitor: Option<&Visitor>) -> Markup {
    if cart.count() == 0 {
        return html! { p { "It is empty." } };
    }
    html! {
        table.goods {
            tbody {
                @for (fruit, count) in cart.fruits() {
                    tr {
                        th scope="row" { (count) " × " (fruit.name) }
                        td { (euros(fruit.cents * count)) }
                        @if let Some(visitor) = visitor {
                            td { (visitor.form("/cart/remove", html! {
                                button.small name="fruit" value=(fruit.id)
                                    aria-label={ "Remove from the cart: " (fruit.name) } { "Remove" }
                            })) }
                        }
                    }
                }
                tr.total {
                    th scope="row" { "Total" }
                    td { (euros(cart.cents())) }
                    @if visitor.is_some() { td {} }
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Choice {
    fruit: String,
}

impl Choice {
    fn fruit(&self) -> Option<&'static Fruit> {
        FRUITS.iter().find(|fruit| fruit.id == self.fruit)
    }
}

async fn add(visitor: Visitor, Form(choice): Form<Choice>) -> Result<Redirect, Oops> {
    if let Some(fruit) = choice.fruit() {
        visitor.session.update(CART, |cart: &mut Cart| cart.add(fruit))?;
    }
    Ok(Redirect::to("/"))
}

async fn remove(visitor: Visitor, Form(choice): Form<Choice>) -> Result<Redirect, Oops> {
    visitor.session.update(CART, |cart: &mut Cart| cart.0.remove(&choice.fruit))?;
    Ok(Redirect::to("/"))
}

/// Visitors who are not logged in are sent to the login page, and come back with their cart.
async fn checkout(_: LoggedIn<i64>, visitor: Visitor) -> Result<Markup, Oops> {
    let cart = Cart::of(&visitor.session);
    visitor.page(
        "Check out",
        html! {
            section.narrow aria-labelledby="order-title" {
                h2 #order-title { "Your order" }
                (table(&cart, None))
                @if cart.count() > 0 {
                    (visitor.form("/checkout", html! { button.main { "Order and pay" } }))
                }
            }
        },
    )
}

async fn order(
    State(site): Shared,
    LoggedIn { id, session }: LoggedIn<i64>,
    flash: FlashMessages,
) -> Result<Redirect, Oops> {
    let user = site.users.by_id(id).await?.ok_or(Oops::Nobody)?;
    let cart: Cart = session.pop(CART)?.unwrap_or_default();
    if cart.count() > 0 {
        // Here a real shop writes the order into its database.
        let (name, price) = (user.name, euros(cart.cents()));
        flash.add(Level::SUCCESS, format!("Thank you, {name}. Your order costs {price}."))?;
    }
    Ok(Redirect::to("/"))
}

fn euros(cents: u32) -> String {
    format!("{}.{:02}\u{a0}€", cents / 100, cents % 100)
}
