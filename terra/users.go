package terra

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// UserInfo is a connection and whether it works.
type UserInfo struct {
	User User
	// IsAuthenticated reports whether the provider still accepts Terra; nil is
	// not told.
	IsAuthenticated *bool
}

// userList is any answer with users: under "user", under "users", or in pages
// under "data".
type userList struct {
	trouble
	User            *User   `json:"user"`
	Users           *[]User `json:"users"`
	IsAuthenticated *bool   `json:"is_authenticated"`
	Data            *struct {
		Next    Number  `json:"next"`
		MaxPage Number  `json:"max_page"`
		Results *[]User `json:"results"`
	} `json:"data"`
}

// readUsers reads any answer with users. The list matters as a whole: what is
// not in it counts as revoked, so one user that cannot be read fails all.
func (c *Client) readUsers(op string, r *httpx.Response) (userList, []User, error) {
	var (
		w    userList
		list []User
		err  error
	)
	if isArray(r.Body) {
		_, err = c.decodeAnswer(op, r, &list)
	} else {
		_, err = c.decodeAnswer(op, r, &w)
		switch {
		case err != nil:
		case w.Users != nil:
			list = *w.Users
		case w.Data != nil && w.Data.Results != nil:
			list = *w.Data.Results
		case w.User != nil:
			list = []User{*w.User}
		case w.told():
			return userList{}, nil, c.errorInside(op, r, w.trouble)
		default:
			err = c.unreadable(op, codeShape, r)
		}
	}
	if err != nil {
		return userList{}, nil, err
	}
	for _, u := range list {
		if u.UserID == "" {
			return userList{}, nil, c.unreadable(op, codeShape, r)
		}
	}
	return w, list, nil
}

// isArray reports whether a document begins as an array.
func isArray(body []byte) bool {
	for _, b := range body {
		switch b {
		case ' ', '\t', '\r', '\n':
		default:
			return b == '['
		}
	}
	return false
}

// UserInfo returns one connection. ErrNotFound is one that there is not.
func (c *Client) UserInfo(ctx context.Context, userID string) (UserInfo, error) {
	const op = "user info"
	if userID == "" {
		return UserInfo{}, invalid(op, "a user id is required")
	}
	var info UserInfo
	_, err := c.do(ctx, call{op: op, path: "userInfo", query: url.Values{"user_id": {userID}}}, func(r *httpx.Response) error {
		w, list, err := c.readUsers(op, r)
		switch {
		case err != nil:
			return err
		case len(list) != 1 || list[0].UserID != userID:
			e := c.unreadable(op, providers.CodeIdentity, r)
			return e
		}
		info = UserInfo{User: list[0], IsAuthenticated: w.IsAuthenticated}
		return nil
	})
	return info, err
}

// UsersByReference returns all connections with a reference id, in any of the
// shapes that the service answers with. None is an empty list or ErrNotFound.
func (c *Client) UsersByReference(ctx context.Context, referenceID string) ([]User, error) {
	const op = "user info by reference"
	if referenceID == "" {
		return nil, invalid(op, "a reference id is required")
	}
	return c.users(ctx, call{op: op, path: "userInfo", query: url.Values{"reference_id": {referenceID}}})
}

// BulkUserInfo returns the connections with the given user ids. Those that there
// are not may be missing.
func (c *Client) BulkUserInfo(ctx context.Context, userIDs []string) ([]User, error) {
	const op = "bulk user info"
	if len(userIDs) == 0 {
		return nil, invalid(op, "user ids are required")
	}
	return c.users(ctx, call{op: op, method: http.MethodPost, path: "bulkUserInfo", body: userIDs})
}

// AllUsers returns all connections of the environment in one answer. With many
// of them use [Client.EachUser].
func (c *Client) AllUsers(ctx context.Context) ([]User, error) {
	return c.users(ctx, call{op: "subscriptions", path: "subscriptions"})
}

func (c *Client) users(ctx context.Context, k call) (list []User, err error) {
	_, err = c.do(ctx, k, func(r *httpx.Response) error {
		var err error
		_, list, err = c.readUsers(k.op, r)
		return err
	})
	return list, err
}

// UserPage is one page of the connections of an environment.
type UserPage struct {
	Users []User
	// Next is the number of the next page; -1 on the last page.
	Next int
	// MaxPage is the number of the last page; -1 if it is not told.
	MaxPage int
}

// UserPage returns one page of the connections of the environment. Pages count
// from 0; perPage 0 means the service's own size, 500.
func (c *Client) UserPage(ctx context.Context, page, perPage int) (UserPage, error) {
	const op = "subscriptions"
	if page < 0 || perPage < 0 {
		return UserPage{}, invalid(op, "pages count from 0")
	}
	q := url.Values{"page": {strconv.Itoa(page)}}
	if perPage > 0 {
		q.Set("per_page", strconv.Itoa(perPage))
	}
	out := UserPage{Next: -1, MaxPage: -1}
	_, err := c.do(ctx, call{op: op, path: "subscriptions", query: q}, func(r *httpx.Response) error {
		w, list, err := c.readUsers(op, r)
		if err != nil {
			return err
		}
		out.Users = list
		if w.Data == nil {
			return nil // all of them in one answer
		}
		if n, ok := w.Data.Next.Int(); ok {
			out.Next = int(n)
		}
		if n, ok := w.Data.MaxPage.Int(); ok {
			out.MaxPage = int(n)
		}
		return nil
	})
	if err != nil {
		return UserPage{}, err
	}
	return out, nil
}

// EachUser returns all connections of the environment, page by page. The first
// error ends the walk; so does a page that was there before, as ErrMalformed.
func (c *Client) EachUser(ctx context.Context, perPage int) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		var guard httpx.LoopGuard
		for page := 0; page >= 0; {
			if !guard.Visit(strconv.Itoa(page)) {
				yield(User{}, &providers.Error{Provider: Name, Op: "subscriptions", Kind: providers.ErrMalformed, Code: codeLoop})
				return
			}
			p, err := c.UserPage(ctx, page, perPage)
			if err != nil {
				yield(User{}, err)
				return
			}
			for _, u := range p.Users {
				if !yield(u, nil) {
					return
				}
			}
			page = p.Next
		}
	}
}

// UserUpdate changes a connection. Nil leaves a member as it is.
type UserUpdate struct {
	ReferenceID *string `json:"reference_id,omitempty"`
	Active      *bool   `json:"active,omitempty"`
}

// UpdateUser changes a connection and returns it. The newest specification does
// not have the call. It is not repeated when it fails.
func (c *Client) UpdateUser(ctx context.Context, userID string, u UserUpdate) (User, error) {
	const op = "update user"
	if !pathPart(userID) {
		return User{}, invalid(op, "a user id is required")
	}
	var user User
	_, err := c.do(ctx, call{op: op, method: http.MethodPatch, path: "users/" + url.PathEscape(userID), body: u, once: true}, func(r *httpx.Response) error {
		_, list, err := c.readUsers(op, r)
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return c.unreadable(op, codeShape, r)
		}
		user = list[0]
		return nil
	})
	return user, err
}

// pathPart reports whether an id can be a part of a path.
func pathPart(id string) bool { return id != "" && id != "." && id != ".." }
