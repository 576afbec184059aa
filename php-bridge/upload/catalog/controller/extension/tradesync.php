<?php

use Tradesync\Door;
use Tradesync\Input;
use Tradesync\Panel;
use Tradesync\Problem;
use Tradesync\Seller;
use Tradesync\Settings;
use Tradesync\Visitor;
use Tradesync\Words;

/**
 * The seller's panel in the storefront, for sellers who are customers: a page of its own in the account area, and the same panel in the
 * page of a marketplace module (its route is a setting; or one line in its template, docs/opencart-bridge.md).
 */
class ControllerExtensionTradesync extends Controller
{
    private const ROUTE = 'extension/tradesync';

    /** The seller's page. */
    public function index()
    {
        if (!$this->customer->isLogged()) {
            $this->session->data['redirect'] = $this->link(self::ROUTE);
            $this->response->redirect($this->link('account/login'));

            return;
        }
        $texts = $this->texts();
        $this->document->setTitle($texts['panel_page']);
        $seller = $this->seller();
        $this->response->setOutput($this->load->view('extension/tradesync', [
            'title' => $texts['panel_page'],
            'breadcrumbs' => [
                ['text' => '<i class="fa fa-home"></i>', 'href' => $this->link('common/home')],
                ['text' => $texts['account'], 'href' => $this->link('account/account')],
                ['text' => $texts['panel_page'], 'href' => $this->link(self::ROUTE)],
            ],
            'error' => $seller === null ? $texts['problem_no_seller'] : '',
            'content' => $this->widget(),
            'column_left' => $this->load->controller('common/column_left'),
            'column_right' => $this->load->controller('common/column_right'),
            'content_top' => $this->load->controller('common/content_top'),
            'content_bottom' => $this->load->controller('common/content_bottom'),
            'footer' => $this->load->controller('common/footer'),
            'header' => $this->load->controller('common/header'),
        ]));
    }

    /**
     * The panel as HTML, '' for a visitor who is no seller. A marketplace module's controller may take it by
     * `$this->load->controller('extension/tradesync/widget')`.
     */
    public function widget()
    {
        if ($this->seller() === null) {
            return '';
        }

        return Door::panel($this->assets(), [
            'api' => $this->link(self::ROUTE . '/api'),
            'csv' => $this->link(self::ROUTE . '/csv'),
            'token' => $this->token(),
            'modify' => true,
        ], Settings::of($this->registry));
    }

    /** One action of the panel: POST, JSON, with the session's own token in a header. */
    public function api()
    {
        $settings = Settings::of($this->registry);
        Door::answer($this->response, $settings->language(), function () use ($settings) {
            $given = (string)($this->request->server['HTTP_X_TRADESYNC_TOKEN'] ?? '');
            if (($this->request->server['REQUEST_METHOD'] ?? '') !== 'POST' || !hash_equals($this->token(), $given)) {
                throw new Problem(Problem::FORBIDDEN_HERE);
            }
            $in = Input::read((string)file_get_contents('php://input'));

            return $this->panel($settings)->act((string)($this->request->get['do'] ?? ''), $in);
        });
    }

    /** A run's report as a file. */
    public function csv()
    {
        $settings = Settings::of($this->registry);
        Door::csv($this->response, $settings->language(), function () use ($settings) {
            return $this->panel($settings);
        }, $this->request->get);
    }

    /** Event catalog/view/account/account/after: a line in the seller's account. */
    public function accountLink(&$route, &$data, &$output)
    {
        if ($this->seller() === null) {
            return;
        }
        $texts = $this->texts();
        $line = '<h2>' . $texts['panel_title'] . '</h2><ul class="list-unstyled"><li><a href="'
            . htmlspecialchars($this->link(self::ROUTE), ENT_QUOTES, 'UTF-8') . '">' . $texts['panel_page'] . '</a></li></ul>';
        $place = strpos($output, '<h2>');
        $output = $place === false ? $output . $line : substr($output, 0, $place) . $line . substr($output, $place);
    }

    /** Event after the marketplace's own page (its route is a setting): the panel stands above its content. */
    public function marketplacePage(&$route, &$data, &$output)
    {
        $html = (string)$this->response->getOutput();
        // Not twice: the module's template, or an OCMOD, may have it already.
        $panel = strpos($html, 'class="tradesync-panel"') === false ? $this->widget() : '';
        if ($panel === '' || !preg_match('/<[a-z]+\b[^>]*\bid="content"[^>]*>/i', $html, $found, PREG_OFFSET_CAPTURE)) {
            return;
        }
        $place = $found[0][1] + strlen($found[0][0]);
        $this->response->setOutput(substr($html, 0, $place) . $panel . substr($html, $place));
    }

    private function panel(Settings $settings): Panel
    {
        $seller = $this->seller();
        if ($seller === null) {
            throw new Problem(Problem::NO_SELLER);
        }

        return new Panel($settings->onBehalfOf($seller));
    }

    private function seller(): ?Seller
    {
        $settings = Settings::of($this->registry);

        return $settings->isComplete() ? $settings->sellers()->current(Visitor::of($this->registry)) : null;
    }

    /** OpenCart's storefront has no token against forged requests; this one lives as long as the session. */
    private function token(): string
    {
        if (empty($this->session->data['tradesync_token'])) {
            $this->session->data['tradesync_token'] = bin2hex(random_bytes(16));
        }

        return $this->session->data['tradesync_token'];
    }

    private function texts(): array
    {
        return Words::all(Settings::of($this->registry)->language());
    }

    private function assets(): string
    {
        return $this->request->server['HTTPS'] ? HTTPS_SERVER : HTTP_SERVER;
    }

    private function link(string $route): string
    {
        return html_entity_decode($this->url->link($route, '', true), ENT_QUOTES, 'UTF-8');
    }
}
